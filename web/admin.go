package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/handlers"
	"github.com/reprise-dev/reprise/relay"
)

// operator is who commands on the server act as.
var operator = relay.Actor{Kind: relay.ActorSystem, Name: "command line"}

// withStore runs a command on the database directly, also beside a running
// server.
func withStore(cmd *cobra.Command, fn func(context.Context, *db.Store) error) error {
	cfg, log, err := settings()
	if err != nil {
		return err
	}
	key, err := secretKey(cfg, log)
	if err != nil {
		return err
	}
	store, err := db.Open(cmd.Context(), db.Options{URL: cfg.DatabaseURL, Key: key, Migrate: true, Log: log})
	if err != nil {
		return err
	}
	return errors.Join(fn(cmd.Context(), store), store.Close())
}

func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the database schema up to date", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(context.Context, *db.Store) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "the schema is up to date")
				return err
			})
		},
	}
}

func usersCommand() *cobra.Command {
	users := &cobra.Command{Use: "users", Short: "People who log in to the dashboard"}
	var email, password string
	create := &cobra.Command{
		Use: "create --email ADDRESS", Short: "Add a person to every project", Args: cobra.NoArgs,
		Long: "Adds a person to every project. The password is read from --password, else from the first line of standard input.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if password == "" {
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if password = strings.TrimRight(line, "\r\n"); password == "" {
					return fmt.Errorf("give a password with --password or on standard input (%w)", errors.Join(err, errUsage))
				}
			}
			user, err := newUser(email, password)
			if err != nil {
				return err
			}
			return withStore(cmd, func(ctx context.Context, store *db.Store) error {
				if _, err := store.DefaultProject(ctx); err != nil {
					return err
				}
				projects, err := store.Projects(ctx)
				if err != nil {
					return err
				}
				ids := make([]relay.ID, len(projects))
				for i, p := range projects {
					ids[i] = p.ID
				}
				user.CreatedAt = store.Now()
				if err := store.CreateUser(ctx, user, ids, operator); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), relay.PrefixUser.Format(user.ID))
				return err
			})
		},
	}
	create.Flags().StringVar(&email, "email", "", "e-mail address")
	create.Flags().StringVar(&password, "password", "", "password")
	users.AddCommand(create)
	return users
}

func newUser(email, password string) (*relay.User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if !relay.IsEmail(email) {
		return nil, errors.New("the e-mail address must be one, such as ada@example.com")
	}
	// An operator may choose a short one; people in the browser may not.
	if password == "" || len(password) > 1024 {
		return nil, errors.New("the password must have 1 to 1024 characters")
	}
	hash, err := handlers.HashPassword(password)
	if err != nil {
		return nil, err
	}
	return &relay.User{ID: relay.NewID(), Email: email, PasswordHash: hash}, nil
}

func projectsCommand() *cobra.Command {
	projects := &cobra.Command{Use: "projects", Short: "Tenants: each has its own sources, endpoints, events and keys"}
	var name string
	create := &cobra.Command{
		Use: "create --name NAME", Short: "Create a project", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name = strings.TrimSpace(name); name == "" || len(name) > 200 {
				return errors.New("--name must have 1 to 200 characters")
			}
			return withStore(cmd, func(ctx context.Context, store *db.Store) error {
				p := &relay.Project{ID: relay.NewID(), Name: name, CreatedAt: store.Now(), UpdatedAt: store.Now()}
				if err := store.CreateProject(ctx, p, relay.ID{}, operator); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), relay.PrefixProject.Format(p.ID))
				return err
			})
		},
	}
	create.Flags().StringVar(&name, "name", "", "what people call it")
	list := &cobra.Command{
		Use: "list", Short: "List the projects", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(ctx context.Context, store *db.Store) error {
				all, err := store.Projects(ctx)
				for _, p := range all {
					if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", relay.PrefixProject.Format(p.ID), p.Name); err != nil {
						return err
					}
				}
				return err
			})
		},
	}
	projects.AddCommand(create, list)
	return projects
}

func keysCommand() *cobra.Command {
	keys := &cobra.Command{Use: "keys", Short: "API keys"}
	var project, scope, name string
	create := &cobra.Command{
		Use: "create", Short: "Create an API key and print it, once", Args: cobra.NoArgs,
		Example: "  reprise keys create --project prj_… --scope write --name deploy",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if scope != string(relay.ScopeRead) && scope != string(relay.ScopeWrite) {
				return errors.New("--scope must be read or write")
			}
			if name = strings.TrimSpace(name); name == "" || len(name) > 200 {
				return errors.New("--name must have 1 to 200 characters")
			}
			return withStore(cmd, func(ctx context.Context, store *db.Store) error {
				p, err := findProject(ctx, store, project)
				if err != nil {
					return err
				}
				secret := relay.NewAPIKey()
				key := &relay.APIKey{ID: relay.NewID(), ProjectID: p.ID, Name: name, Scope: relay.Scope(scope),
					Hint: relay.HintAPIKey(secret), Hash: relay.HashAPIKey(secret), CreatedAt: store.Now()}
				if err := store.CreateKey(ctx, key, operator); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
				return err
			})
		},
	}
	create.Flags().StringVar(&project, "project", "", "id or name of the project; default: the first one")
	create.Flags().StringVar(&scope, "scope", "write", "read or write")
	create.Flags().StringVar(&name, "name", "", "what the key is for")
	keys.AddCommand(create)
	return keys
}

// findProject takes an id, a name, or nothing for the default project.
func findProject(ctx context.Context, store *db.Store, wanted string) (relay.Project, error) {
	if wanted == "" {
		return store.DefaultProject(ctx)
	}
	if id, err := relay.ParseID(relay.PrefixProject, wanted); err == nil {
		return store.Project(ctx, id)
	}
	all, err := store.Projects(ctx)
	if err != nil {
		return relay.Project{}, err
	}
	var found []relay.Project
	for _, p := range all {
		if p.Name == wanted {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return relay.Project{}, fmt.Errorf("%d projects are called %q; `reprise projects list` shows their ids", len(found), wanted)
	}
	return found[0], nil
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

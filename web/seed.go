package main

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/reprise-dev/reprise/relay"
)

// seed makes what every installation has, the default project, and what the
// settings ask for: the first owner and a key for automation.
func (s *server) seed(ctx context.Context) error {
	project, err := s.store.DefaultProject(ctx)
	if err != nil {
		return err
	}
	if s.cfg.AdminEmail != "" {
		if err := s.seedOwner(ctx); err != nil {
			return err
		}
	}
	if s.cfg.APIKey == "" {
		return nil
	}
	return s.store.EnsureKey(ctx, &relay.APIKey{
		ID: relay.NewID(), ProjectID: project.ID, Name: "REPRISE_API_KEY", Scope: relay.ScopeWrite,
		Hint: relay.HintAPIKey(s.cfg.APIKey), Hash: relay.HashAPIKey(s.cfg.APIKey), CreatedAt: s.store.Now(),
	}, operator)
}

// seedOwner makes the owner of the settings if nobody can log in yet.
func (s *server) seedOwner(ctx context.Context) error {
	n, err := s.store.UserCount(ctx)
	if err != nil || n > 0 {
		return err
	}
	user, err := newUser(s.cfg.AdminEmail, s.cfg.AdminPassword)
	var invalid *relay.Error
	if errors.As(err, &invalid) && len(invalid.Fields) > 0 {
		return errors.New("REPRISE_ADMIN_EMAIL and REPRISE_ADMIN_PASSWORD: " + invalid.Fields[0].Field + " " + invalid.Fields[0].Message)
	}
	if err != nil {
		return err
	}
	user.CreatedAt = s.store.Now()
	err = s.store.CreateFirstUser(ctx, user, "", operator)
	if relay.KindOf(err) == relay.KindConflict { // another process was first
		return nil
	}
	return err
}

// announce says where the server is, and how to set it up if nobody has.
func (s *server) announce(ctx context.Context, want roles) {
	if !want.web {
		s.log.Info("working", "version", version, "database", s.store.Kind())
		return
	}
	s.log.Info("listening", "url", s.cfg.PublicURL, "addr", s.listen.Addr().String(), "version", version,
		"database", s.store.Kind(), "redis", map[bool]string{true: "embedded", false: "server"}[s.client.Embedded])
	token, err := s.store.OpenSetup(ctx)
	if err != nil {
		s.log.Error("making the link for the first owner", "error", err)
	} else if token != "" {
		s.log.Info("nobody can log in yet: open this link to make the first owner", "url", s.cfg.PublicURL+"/setup?token="+token)
	}
}

// selfAddrs are the addresses that this server listens on: deliveries there
// would come back for ever.
func (s *server) selfAddrs() []netip.AddrPort {
	if s.listen == nil {
		return nil
	}
	addr, ok := s.listen.Addr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	return []netip.AddrPort{addr.AddrPort()}
}

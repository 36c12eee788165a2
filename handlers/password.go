package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/reprise-dev/reprise/relay"
)

// hashing follows OWASP's advice for argon2id.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const (
	minPassword = 8
	maxPassword = 1024 // bytes
)

// CheckPassword tells what is wrong with a new password.
func CheckPassword(field, password string) error {
	if len(password) < minPassword || len(password) > maxPassword {
		return relay.Invalid(relay.FieldError{Field: field, Message: "must have 8 to 1024 characters"})
	}
	return nil
}

// HashPassword makes what is stored of a password.
func HashPassword(password string) (string, error) {
	return argon2id.CreateHash(password, hashing)
}

// passwords compares passwords, a few at a time: each comparison takes 19 MiB.
type passwords struct {
	slots chan struct{}
	dummy func() string // a hash of nothing, for users that do not exist
}

func newPasswords() *passwords {
	return &passwords{
		slots: make(chan struct{}, max(2, runtime.NumCPU())),
		dummy: sync.OnceValue(func() string {
			hash, err := HashPassword(relay.NewID().UUID())
			if err != nil { // no randomness: nothing works then
				panic(err)
			}
			return hash
		}),
	}
}

// enter waits for a turn to compare.
func (p *passwords) enter(ctx context.Context) (leave func(), err error) {
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, &relay.Error{Kind: relay.KindUnavailable, Detail: "Too many people are logging in right now. Try again.",
			RetryAfter: 5 * time.Second, Cause: ctx.Err()}
	}
}

// match takes the same time whether or not there is a hash to compare with.
func (p *passwords) match(password, hash string) bool {
	known := hash != ""
	if !known {
		hash = p.dummy()
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && known
}

// Failed log-ins allowed before the account or the address has to wait. What
// is in session already is not touched by that.
const (
	accountFailures = 10
	addressFailures = 50
	failureWindow   = 10 * time.Minute
)

// throttle remembers who has to wait after failed log-ins.
type throttle struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newThrottle() *throttle { return &throttle{until: map[string]time.Time{}} }

const maxThrottled = 10_000

func (t *throttle) wait(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until[key].Sub(now)
}

func (t *throttle) hold(key string, until, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.until) >= maxThrottled {
		for k, v := range t.until {
			if v.Before(now) {
				delete(t.until, k)
			}
		}
		if len(t.until) >= maxThrottled {
			clear(t.until)
		}
	}
	t.until[key] = until
}

var errBadLogin = &relay.Error{Kind: relay.KindUnauthorized, Detail: "The e-mail address or the password is wrong."}

// logIn checks an e-mail address and a password. Unknown users and wrong
// passwords are told apart neither by the answer nor by its time. Only failures
// count against the limits.
func (a *App) logIn(ctx context.Context, ip, email, password string) (relay.User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	sum := sha256.Sum256([]byte(email))
	account, address := "login:account:"+hex.EncodeToString(sum[:16]), "login:address:"+ip
	if err := a.mayTry(account, address); err != nil {
		return relay.User{}, err
	}
	leave, err := a.passwords.enter(ctx)
	if err != nil {
		return relay.User{}, err
	}
	defer leave()
	if err := a.mayTry(account, address); err != nil { // those before us may have failed meanwhile
		return relay.User{}, err
	}
	user, err := a.store.UserByEmail(ctx, email)
	if err != nil && relay.KindOf(err) != relay.KindNotFound {
		return relay.User{}, err
	}
	if len(password) > maxPassword || !a.passwords.match(password, user.PasswordHash) {
		return relay.User{}, a.failedLogin(ctx, ip, email, user.ID, account, address)
	}
	actor := relay.Actor{Kind: relay.ActorUser, ID: user.ID, Name: user.Email, IP: ip}
	entry := relay.AuditEntry{Actor: actor, Action: "session.started", Target: relay.PrefixUser.Format(user.ID)}
	if err := a.store.Audit(ctx, entry); err != nil {
		return relay.User{}, err
	}
	return user, a.store.TouchLogin(ctx, user.ID)
}

func (a *App) mayTry(keys ...string) error {
	now := a.now()
	for _, key := range keys {
		if wait := a.throttle.wait(key, now); wait > 0 {
			return &relay.Error{Kind: relay.KindRateLimited, Detail: "Too many failed log-ins. Wait a while before you try again.", RetryAfter: wait}
		}
	}
	return nil
}

// failedLogin counts and records a failure: about the user, or about nobody if
// the address is not that of one.
func (a *App) failedLogin(ctx context.Context, ip, email string, user relay.ID, account, address string) error {
	a.countFailure(ctx, account, accountFailures)
	a.countFailure(ctx, address, addressFailures)
	if len(email) > 254 {
		email = email[:254]
	}
	actor := relay.Actor{Kind: relay.ActorSystem, Name: email, IP: ip}
	entry := relay.AuditEntry{Actor: actor, Action: "session.failed"}
	if !user.IsZero() {
		entry.Target = relay.PrefixUser.Format(user)
	}
	if err := a.store.Audit(ctx, entry); err != nil {
		return err
	}
	return errBadLogin
}

// countFailure makes a key wait once its failures are used up.
func (a *App) countFailure(ctx context.Context, key string, failures int) {
	if ok, wait := a.queue.Allow(ctx, key, failures, failureWindow); !ok {
		now := a.now()
		a.throttle.hold(key, now.Add(max(wait, time.Second)), now)
	}
}

package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
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

// IsPassword reports whether a password is the one that a hash was made of.
func IsPassword(password, hash string) bool {
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil
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
	return IsPassword(password, hash) && known
}

// Failed log-ins that one network may make, for one account and in all. Nobody
// can keep others from logging in, however often they fail: those come from
// elsewhere. Sessions that exist are not touched.
const (
	accountFailures = 10
	networkFailures = 50
	failureWindow   = 10 * time.Minute
)

var errBadLogin = &relay.Error{Kind: relay.KindUnauthorized, Detail: "The e-mail address or the password is wrong."}

// logIn checks an e-mail address and a password. Unknown users and wrong
// passwords are told apart neither by the answer nor by its time. Only failures
// count against the limits.
func (a *App) logIn(ctx context.Context, ip, email, password string) (relay.User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	succeeded, err := a.tryLogin(ctx, ip, email)
	if err != nil {
		return relay.User{}, err
	}
	leave, err := a.passwords.enter(ctx)
	if err != nil {
		return relay.User{}, err
	}
	defer leave()
	user, err := a.store.UserByEmail(ctx, email)
	if err != nil && relay.KindOf(err) != relay.KindNotFound {
		return relay.User{}, err
	}
	if len(password) > maxPassword || !a.passwords.match(password, user.PasswordHash) {
		return relay.User{}, a.failedLogin(ctx, ip, email, user.ID)
	}
	succeeded()
	actor := relay.Actor{Kind: relay.ActorUser, ID: user.ID, Name: user.Email, IP: ip}
	entry := relay.AuditEntry{Actor: actor, Action: "session.started", Target: relay.PrefixUser.Format(user.ID)}
	if err := a.store.Audit(ctx, entry); err != nil {
		return relay.User{}, err
	}
	return user, a.store.TouchLogin(ctx, user.ID)
}

// tryLogin counts a log-in as failed until succeeded is called, or tells when the
// next one may be tried.
func (a *App) tryLogin(ctx context.Context, ip, email string) (succeeded func(), err error) {
	sum := sha256.Sum256([]byte(email))
	network := networkOf(ip)
	one, err := a.tryPassword(ctx, "login:network:"+network, networkFailures)
	if err != nil {
		return nil, err
	}
	other, err := a.tryPassword(ctx, "login:account:"+hex.EncodeToString(sum[:16])+":"+network, accountFailures)
	if err != nil {
		one()
		return nil, err
	}
	return func() { one(); other() }, nil
}

func (a *App) tryPassword(ctx context.Context, key string, failures int) (succeeded func(), err error) {
	succeeded, wait := a.queue.Reserve(ctx, []string{key}, failures, failureWindow)
	if succeeded == nil {
		return nil, &relay.Error{Kind: relay.KindRateLimited, Detail: "Too many failed log-ins. Wait a while before you try again.", RetryAfter: max(wait, time.Second)}
	}
	return succeeded, nil
}

// networkOf is what one customer of a provider has: an IPv4 address, or the
// first 64 bits of one of IPv6.
func networkOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Unmap().Is4() {
		return ip
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
}

// failedLogin records a failure: about the user, or about nobody if
// the address is not that of one.
func (a *App) failedLogin(ctx context.Context, ip, email string, user relay.ID) error {
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

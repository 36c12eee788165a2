// Command reprise is the whole product in one binary; see `reprise help`.
package main

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/reprise-dev/reprise/handlers"
	"github.com/reprise-dev/reprise/jobs"
	"github.com/reprise-dev/reprise/relay"
)

// Config is everything that the environment sets. The names, the defaults and
// this struct are compared with .env.example and the README by a test.
type Config struct {
	Addr               string     `env:"REPRISE_ADDR" envDefault:"127.0.0.1:8080"`
	PublicURL          string     `env:"REPRISE_PUBLIC_URL"` // without a slash at the end; made from Addr if not set
	IngestURL          string     `env:"REPRISE_INGEST_URL"` // likewise; empty: none
	DatabaseURL        string     `env:"DATABASE_URL" envDefault:"sqlite://data/reprise.db"`
	RedisURL           string     `env:"REDIS_URL" envDefault:"embedded"`
	SecretKey          SecretKey  `env:"REPRISE_SECRET_KEY"`
	AdminEmail         string     `env:"REPRISE_ADMIN_EMAIL"`
	AdminPassword      string     `env:"REPRISE_ADMIN_PASSWORD"`
	APIKey             string     `env:"REPRISE_API_KEY"`
	EgressAllow        Networks   `env:"REPRISE_EGRESS_ALLOW"`
	TrustedProxies     Networks   `env:"REPRISE_TRUSTED_PROXIES"`
	MaxBodyBytes       int        `env:"REPRISE_MAX_BODY_BYTES" envDefault:"5242880"`
	Concurrency        int        `env:"REPRISE_CONCURRENCY" envDefault:"64"`
	ReplaysPerMinute   int        `env:"REPRISE_REPLAYS_PER_MINUTE" envDefault:"10"`
	TestFiresPerMinute int        `env:"REPRISE_TEST_FIRES_PER_MINUTE" envDefault:"20"`
	APIRatePerMinute   int        `env:"REPRISE_API_RATE_PER_MINUTE" envDefault:"600"`
	AuditDays          int        `env:"REPRISE_AUDIT_DAYS" envDefault:"365"`
	RetryScale         float64    `env:"REPRISE_RETRY_SCALE" envDefault:"1"`
	MetricsToken       string     `env:"REPRISE_METRICS_TOKEN"`
	MetricsAddr        string     `env:"REPRISE_METRICS_ADDR"`
	LogFormat          string     `env:"REPRISE_LOG_FORMAT" envDefault:"text"`
	LogLevel           slog.Level `env:"REPRISE_LOG_LEVEL" envDefault:"info"`
}

// LoadConfig reads the settings. A variable that is empty counts as not set.
// The error names every faulty variable, one to a line, and shows no value
// that could be a secret.
func LoadConfig(environ map[string]string) (Config, error) {
	set := make(map[string]string, len(environ))
	for name, value := range environ {
		if strings.TrimSpace(value) != "" {
			set[name] = value
		}
	}
	var cfg Config
	faults := faults{}
	if err := env.ParseWithOptions(&cfg, env.Options{Environment: set}); err != nil {
		faults.parse(err)
	}
	cfg.PublicURL, cfg.IngestURL = relay.TidyURL(cfg.PublicURL), relay.TidyURL(cfg.IngestURL)
	cfg.check(faults)
	if err := faults.join(); err != nil {
		return Config{}, err
	}
	cfg.PublicURL = strings.TrimSuffix(cmp.Or(cfg.PublicURL, publicURL(cfg.Addr)), "/")
	cfg.IngestURL = strings.TrimSuffix(cfg.IngestURL, "/")
	return cfg, nil
}

// check finds the values that parse but cannot work.
func (c *Config) check(f faults) {
	f.unless(validAddr(c.Addr), "REPRISE_ADDR", "must be host:port, such as 127.0.0.1:8080")
	f.unless(c.MetricsAddr == "" || validAddr(c.MetricsAddr), "REPRISE_METRICS_ADDR", "must be host:port, such as 127.0.0.1:9464")
	f.unless(c.PublicURL == "" || validOrigin(c.PublicURL), "REPRISE_PUBLIC_URL",
		"must be http:// or https:// and a host, without a path, such as https://hooks.example.com")
	f.unless(c.IngestURL == "" || validOrigin(c.IngestURL), "REPRISE_INGEST_URL",
		"must be http:// or https:// and a host, without a path, such as https://in.example.com")
	f.unless(c.IngestURL == "" || !handlers.SameHost(c.IngestURL, cmp.Or(c.PublicURL, publicURL(c.Addr))), "REPRISE_INGEST_URL",
		"must have another host than REPRISE_PUBLIC_URL: no page and no API answers there")
	f.unless(validDatabaseURL(c.DatabaseURL), "DATABASE_URL",
		"must be sqlite://path/to/file.db or postgres://user:password@host:port/database")
	if err := jobs.CheckRedisURL(c.RedisURL); err != nil {
		f.unless(false, "REDIS_URL", err.Error())
	}
	f.unless(c.AdminEmail == "" || validEmail(c.AdminEmail), "REPRISE_ADMIN_EMAIL", "must be an e-mail address")
	f.unless(c.AdminEmail == "" || c.AdminPassword != "", "REPRISE_ADMIN_PASSWORD",
		"is needed together with REPRISE_ADMIN_EMAIL")
	f.unless(c.AdminPassword == "" || c.AdminEmail != "", "REPRISE_ADMIN_EMAIL",
		"is needed together with REPRISE_ADMIN_PASSWORD")
	f.unless(c.AdminPassword == "" || handlers.CheckPassword("", c.AdminPassword) == nil, "REPRISE_ADMIN_PASSWORD", "must have 8 to 1024 characters")
	f.unless(validToken(c.APIKey) && (c.APIKey == "" || len(c.APIKey) >= 12), "REPRISE_API_KEY",
		"must be 12 to 256 visible ASCII characters without spaces")
	f.unless(validToken(c.MetricsToken), "REPRISE_METRICS_TOKEN",
		"must be visible ASCII characters without spaces, at most 256")
	f.between("REPRISE_MAX_BODY_BYTES", c.MaxBodyBytes, 1, 256<<20)
	f.between("REPRISE_CONCURRENCY", c.Concurrency, 1, 4096)
	f.between("REPRISE_REPLAYS_PER_MINUTE", c.ReplaysPerMinute, 0, math.MaxInt32)
	f.between("REPRISE_TEST_FIRES_PER_MINUTE", c.TestFiresPerMinute, 0, math.MaxInt32)
	f.between("REPRISE_API_RATE_PER_MINUTE", c.APIRatePerMinute, 0, math.MaxInt32)
	f.between("REPRISE_AUDIT_DAYS", c.AuditDays, 1, 36500)
	f.unless(c.RetryScale > 0 && c.RetryScale <= 1000, "REPRISE_RETRY_SCALE",
		"must be a number above 0 and at most 1000")
	f.unless(c.LogFormat == "text" || c.LogFormat == "json", "REPRISE_LOG_FORMAT", "must be text or json")
}

// SecretKey encrypts what the database keeps secret: 32 bytes.
type SecretKey []byte

// UnmarshalText reads a key in base64 or as hexadecimal digits.
func (k *SecretKey) UnmarshalText(text []byte) error {
	s := strings.TrimRight(string(text), "=")
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(s); err == nil && len(key) == 32 {
			*k = key
			return nil
		}
	}
	return errors.New("must be 32 bytes in base64 or as 64 hexadecimal digits, as `openssl rand -base64 32` prints")
}

// Networks are address ranges.
type Networks []netip.Prefix

// UnmarshalText reads CIDRs separated by commas; an address alone is a range of one.
func (n *Networks) UnmarshalText(text []byte) error {
	for _, part := range strings.Split(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if addr, addrErr := netip.ParseAddr(part); addrErr == nil {
			network, err = netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is no address range; write CIDRs separated by commas, such as 10.0.0.0/8,::1/128", part)
		}
		*n = append(*n, network.Masked())
	}
	return nil
}

// publicURL is how a browser on the same machine reaches a server that
// listens on addr.
func publicURL(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func validAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func validOrigin(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && hasHost(raw, "http", "https") && u.User == nil &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

func validDatabaseURL(raw string) bool {
	if path, ok := strings.CutPrefix(raw, "sqlite://"); ok {
		return path != "" && !strings.HasSuffix(path, "/")
	}
	return hasHost(raw, "postgres", "postgresql")
}

// hasHost reports whether raw is a URL of one of the schemes; a PostgreSQL
// URL may name its host (a socket directory) in the query.
func hasHost(raw string, schemes ...string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return u.Host != "" || u.Query().Get("host") != ""
		}
	}
	return false
}

func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// validToken reports whether s can stand in an Authorization header.
func validToken(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// faults are the first fault of each variable.
type faults map[string]string

func (f faults) unless(ok bool, name, fault string) {
	if _, known := f[name]; !ok && !known {
		f[name] = fault
	}
}

func (f faults) between(name string, value, least, most int) {
	f.unless(value >= least && value <= most, name, fmt.Sprintf("must be a whole number from %d to %d", least, most))
}

// parse takes over what the parser found, under the names of the variables.
func (f faults) parse(err error) {
	all := env.AggregateError{Errors: []error{err}}
	errors.As(err, &all)
	for _, err := range all.Errors {
		var bad env.ParseError
		if !errors.As(err, &bad) {
			f["settings"] = err.Error()
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(bad.Name)
		f[field.Tag.Get("env")] = parseFault(field.Type, bad.Err)
	}
}

func parseFault(t reflect.Type, err error) string {
	switch {
	case t == reflect.TypeFor[slog.Level]():
		return "must be debug, info, warn or error"
	case t.Kind() == reflect.Int:
		return "must be a whole number"
	case t.Kind() == reflect.Float64:
		return "must be a number"
	}
	return err.Error()
}

// join lists the faults in the order of the struct.
func (f faults) join() error {
	var errs []error
	for i := range reflect.TypeFor[Config]().NumField() {
		name := reflect.TypeFor[Config]().Field(i).Tag.Get("env")
		if fault, ok := f[name]; ok {
			errs = append(errs, fmt.Errorf("%s %s", name, fault))
		}
	}
	if fault, ok := f["settings"]; ok {
		errs = append(errs, errors.New(fault))
	}
	return errors.Join(errs...)
}

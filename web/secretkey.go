package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// secretKey is the key that seals secrets: the one that is set, or the one in
// the file beside the database, which is made at the first start.
func secretKey(cfg Config, log *slog.Logger) ([]byte, error) {
	if len(cfg.SecretKey) > 0 {
		return cfg.SecretKey, nil
	}
	path := secretKeyPath(cfg.DatabaseURL)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails since Go 1.24
	// Two commands may start at once: whoever makes the file first has made the key.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return readKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret key cannot be stored: %w", err)
	}
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(fresh))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("the secret key cannot be stored: %w", err)
	}
	log.Info("a secret key was made; back it up apart from the database", "file", path)
	return fresh, nil
}

func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, err
	}
	var key SecretKey
	if err := key.UnmarshalText([]byte(strings.TrimSpace(string(text)))); err != nil {
		return nil, fmt.Errorf("%s holds no key: it %w", path, err)
	}
	return key, nil
}

// secretKeyPath is beside a SQLite file; with PostgreSQL it is in data/, where
// every process must find the same one, so that setting the key is better.
func secretKeyPath(databaseURL string) string {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite://"); ok {
		return path + ".key"
	}
	return filepath.Join("data", "reprise.key")
}

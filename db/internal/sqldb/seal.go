package sqldb

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/reprise-dev/reprise/relay"
)

// Box seals secrets with AES-256-GCM (NIST SP 800-38D), the identity of the
// row bound in as additional data: a sealed value copied to another row does
// not open.
type Box struct{ aead cipher.AEAD }

func newBox(key []byte) (*Box, error) {
	if len(key) != 32 {
		return nil, errors.New("REPRISE_SECRET_KEY must be 32 bytes, as 64 hex digits or in base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead}, nil
}

// Seal returns a random nonce and the sealed text.
func (b *Box) Seal(plain []byte, table string, row relay.ID) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plain)+b.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	return b.aead.Seal(nonce, nonce, plain, append([]byte(table+"/"), row[:]...))
}

// Open opens what Seal made for the same row.
func (b *Box) Open(sealed []byte, table string, row relay.ID) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("db: a sealed value in %s is too short", table)
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], append([]byte(table+"/"), row[:]...))
	if err != nil {
		return nil, &relay.Error{Kind: relay.KindConflict, Detail: "What is stored of this cannot be read with this REPRISE_SECRET_KEY.",
			Cause: fmt.Errorf("db: a sealed value in %s of row %s does not open: %w", table, row, err)}
	}
	return plain, nil
}

// Seal encrypts what is kept for a while outside the tables of this package, such
// as in a session. Unseal needs the same purpose and id.
func (s *DB) Seal(purpose string, id relay.ID, plain []byte) []byte {
	return s.Box.Seal(plain, purpose, id)
}

// Unseal opens what Seal made.
func (s *DB) Unseal(purpose string, id relay.ID, sealed []byte) ([]byte, error) {
	return s.Box.Open(sealed, purpose, id)
}

// ErrWrongKey says that the secrets in the database were sealed by another key.
var ErrWrongKey = errors.New("REPRISE_SECRET_KEY does not open the secrets of this database: set the key that was in use when they were stored")

// checkKey seals a known text at the first start and opens it at every later
// one, so that a wrong key is found before anything runs.
func (s *DB) checkKey(ctx context.Context) error {
	probe := []byte("reprise")
	insert := s.Rebind("INSERT INTO meta (name, bytes) VALUES ('key_check', ?) ON CONFLICT (name) DO NOTHING")
	if _, err := s.W.DB.ExecContext(ctx, insert, s.Box.Seal(probe, "meta", relay.ID{})); err != nil {
		return Translate(err)
	}
	var sealed []byte
	if err := s.W.DB.QueryRowContext(ctx, "SELECT bytes FROM meta WHERE name = 'key_check'").Scan(&sealed); err != nil {
		return Translate(err)
	}
	plain, err := s.Box.Open(sealed, "meta", relay.ID{})
	if err != nil || !bytes.Equal(plain, probe) {
		return ErrWrongKey
	}
	return nil
}

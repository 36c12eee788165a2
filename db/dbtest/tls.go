package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate makes a certificate for localhost, and not for 127.0.0.1, that vouches
// for itself. The servers of this package can read the files.
func Certificate(t testing.TB) (certificate, key string) {
	t.Helper()
	certificate, key, err := writeCertificate(t)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func writeCertificate(t testing.TB) (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "reprise test"}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	public, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	dir, err := tempDir("reprise-tls-")
	if err != nil {
		return "", "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	certificate, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	return certificate, key, errors.Join(
		writePEM(certificate, "CERTIFICATE", public), writePEM(key, "PRIVATE KEY", secret))
}

// writePEM writes a file that belongs to the user who runs the servers: PostgreSQL
// reads no key of others.
func writePEM(path, kind string, content []byte) error {
	err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
	if c := unprivileged().Credential; err == nil && c != nil {
		err = os.Chown(path, int(c.Uid), int(c.Gid))
	}
	return err
}

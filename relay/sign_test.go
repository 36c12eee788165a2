package relay

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestSign(t *testing.T) {
	t.Parallel()
	const secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	at, body := time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)
	got, err := Sign(secret, id, at, body)
	if err != nil || got != want {
		t.Errorf("Sign gives %q, %v", got, err)
	}
	if _, err := Sign("whsec_short", id, at, body); err == nil {
		t.Error("a broken secret signed")
	}

	next := Secret{Value: NewSecret()}
	for name, c := range map[string]struct {
		secrets []Secret
		want    int
	}{
		"none":    {nil, 0},
		"one":     {[]Secret{{Value: secret}}, 1},
		"overlap": {[]Secret{next, {Value: secret, ExpiresAt: at.Add(time.Second)}}, 2},
		"expired": {[]Secret{next, {Value: secret, ExpiresAt: at}}, 1},
		"broken":  {[]Secret{{Value: "whsec_%"}, next}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := SignAll(c.secrets, at, id, body)
			if sigs := strings.Fields(header); len(sigs) != c.want || strings.Join(sigs, " ") != header {
				t.Errorf("%d signatures in %q", len(sigs), header)
			}
			for _, s := range c.secrets {
				if s.Expired(at) || CheckSecret(s.Value) != nil {
					continue
				}
				p := &Payload{Body: body, Headers: Headers{
					{"webhook-id", id}, {"webhook-timestamp", "1614265330"}, {"webhook-signature", header},
				}}
				if v := Verify(Verifier{Type: "standard_webhooks", Secret: s.Value}, at, p, ""); v != VerdictValid {
					t.Errorf("a receiver says %s", v)
				}
			}
		})
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, ok := range map[string]bool{
		of(23): false, of(24): true, of(64): true, of(65): false, of(1 << 20): false,
		"": false, "whsec_": false, strings.TrimPrefix(of(32), "whsec_"): false, of(32) + "=": false,
		NewSecret(): true,
	} {
		if err := CheckSecret(secret); (err == nil) != ok {
			t.Errorf("CheckSecret(%.80q) says %v", secret, err)
		}
	}
}

package relay

import "testing"

func TestCause(t *testing.T) {
	t.Parallel()
	shape := Cause(OutcomeStatus, 500, []byte(`{"error":"no customer cus_123","at":"2026-01-01T00:00:00Z"}`))
	same := Cause(OutcomeStatus, 500, []byte(`{"error":"no customer cus_9x77","at":"2027-11-21T10:20:30Z"}`))
	other := Cause(OutcomeStatus, 500, []byte(`{"error":"no invoice inv_123","at":"2026-01-01T00:00:00Z"}`))
	if shape != same || shape == other || shape == Cause(OutcomeStatus, 502, []byte(`{"error":"no customer cus_123"}`)) {
		t.Errorf("%s, %s, %s", shape, same, other)
	}
	for want, got := range map[string]string{
		"": Cause(OutcomeSuccess, 200, nil), "timeout": Cause(OutcomeTimeout, 0, nil), "http_503": Cause(OutcomeStatus, 503, []byte("12 34")),
	} {
		if got != want {
			t.Errorf("cause %q, want %q", got, want)
		}
	}
}

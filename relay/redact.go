package relay

import "strings"

const mask = "••••"

// MaskSecret shows as much of a secret as people need to recognise it:
// "whsec_ab…yz".
func MaskSecret(s string) string {
	if s == "" {
		return ""
	}
	prefix, rest := "", s
	if i := strings.IndexByte(s, '_'); i > 0 && i <= 8 {
		prefix, rest = s[:i+1], s[i+1:]
	}
	if len(rest) < 16 {
		return prefix + mask
	}
	return prefix + rest[:2] + "…" + rest[len(rest)-2:]
}

// secretHeaders usually carry credentials.
var secretHeaders = []string{
	"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "Api-Key", "X-Auth-Token",
	"X-Access-Token", "X-Gitlab-Token", "X-Amz-Security-Token", "X-Csrf-Token",
}

// RedactHeaders masks the values of headers that carry credentials, and of
// those that the caller names besides. It leaves the input as it is.
func RedactHeaders(h Headers, also ...string) Headers {
	out := make(Headers, len(h))
	for i, line := range h {
		if containsFold(secretHeaders, line.Name) || containsFold(also, line.Name) {
			line.Value = redactValue(line.Value)
		}
		out[i] = line
	}
	return out
}

// redactValue keeps the name of the authentication scheme.
func redactValue(v string) string {
	scheme, rest, ok := strings.Cut(v, " ")
	if ok && rest != "" && (equalFold(scheme, "basic") || equalFold(scheme, "bearer")) {
		return scheme + " " + mask
	}
	return mask
}

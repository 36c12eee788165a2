package relay

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Schemes that sign the URL, and single-provider variations of the common ones.

func verifySquare(in *inbound) Verdict {
	given := in.p.Headers.Get("x-square-hmacsha256-signature")
	if given == "" {
		return VerdictMissingHeader
	}
	return base64SHA256.hmac([]string{given}, []byte(in.secret), []byte(in.fullURL()), in.p.Body)
}

// verifyTwilio checks the URL with the sorted form fields behind it. Other
// bodies are covered by their hash in the query, or else must be empty.
func verifyTwilio(in *inbound) Verdict {
	given := in.p.Headers.Get("X-Twilio-Signature")
	if given == "" {
		return VerdictMissingHeader
	}
	var fields string
	if bodyHash := queryValue(in.p.Query, "bodySHA256"); bodyHash != "" {
		sum := sha256.Sum256(in.p.Body)
		if verdict := hexSHA256.matchAny([]string{bodyHash}, sum[:]); verdict != VerdictValid {
			return VerdictBadSignature
		}
	} else if len(in.p.Body) > 0 {
		if !hasPrefixFold(in.p.Headers.Get("Content-Type"), "application/x-www-form-urlencoded") {
			return VerdictBadSignature
		}
		form, err := url.ParseQuery(string(in.p.Body))
		if err != nil {
			return VerdictBadSignature
		}
		fields = sortedFields(form)
	}
	return base64SHA1.hmac([]string{given}, []byte(in.secret), []byte(in.fullURL()+fields))
}

func sortedFields(form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		values := form[name]
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			b.WriteString(name)
			b.WriteString(value)
		}
	}
	return b.String()
}

// HubSpot decodes these characters of the URL, and no others, before signing.
var hubSpotURL = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'",
	"%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
	"%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";",
)

// verifyHubSpot takes the newest version that the request carries: an older
// signature beside a v3 that is wrong does not help.
func verifyHubSpot(in *inbound) Verdict {
	h := in.p.Headers
	if given := h.Get("X-HubSpot-Signature-v3"); given != "" {
		at := h.Get("X-HubSpot-Request-Timestamp")
		if at == "" {
			return VerdictMissingHeader
		}
		signed := []byte(in.p.Method + hubSpotURL.Replace(in.fullURL()))
		verdict := base64SHA256.hmac([]string{given}, []byte(in.secret), signed, in.p.Body, []byte(at))
		return in.andFresh(verdict, at, time.Millisecond, tolerance)
	}
	given := h.Get("X-HubSpot-Signature")
	if given == "" {
		return VerdictMissingHeader
	}
	sum := sha256.New()
	sum.Write([]byte(in.secret))
	switch h.Get("X-HubSpot-Signature-Version") {
	case "", "v1":
	case "v2":
		sum.Write([]byte(in.p.Method + in.fullURL()))
	default:
		return VerdictMalformedHeader
	}
	sum.Write(in.p.Body)
	return hexSHA256.matchAny([]string{given}, sum.Sum(nil))
}

// verifyShopify takes the newer name of the header first.
func verifyShopify(in *inbound) Verdict {
	header := "Shopify-Hmac-SHA256"
	if in.p.Headers.Get(header) == "" {
		header = "X-Shopify-Hmac-SHA256"
	}
	return hashOfBody{header, "", base64SHA256}.verify(in)
}

func verifyPagerDuty(in *inbound) Verdict {
	given := in.p.Headers.Get("X-PagerDuty-Signature")
	if given == "" {
		return VerdictMissingHeader
	}
	var sigs []string
	for entry := range strings.SplitSeq(given, ",") {
		if sig, ok := strings.CutPrefix(strings.TrimSpace(entry), "v1="); ok && len(sigs) < maxSignatures {
			sigs = append(sigs, sig)
		}
	}
	return hexSHA256.hmac(sigs, []byte(in.secret), in.p.Body)
}

// verifyGitLab goes by the form of the secret: a signing token never accepts
// the plain token that an older GitLab would send.
func verifyGitLab(in *inbound) Verdict {
	if strings.HasPrefix(in.secret, secretPrefix) {
		return verifyStandard(in)
	}
	return verifyToken(in.p, gitLabHeader, in.secret)
}

const gitLabHeader = "X-Gitlab-Token"

package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Schemes whose signature or time is in the JSON of the body.

// verifyLinear finds the time in the signed body. Linear allows it one minute.
func verifyLinear(in *inbound) Verdict {
	verdict := hashOfBody{"linear-signature", "", hexSHA256}.verify(in)
	if verdict != VerdictValid {
		return verdict
	}
	r := reader{p: in.p}
	at := r.at("request.body.webhookTimestamp")
	if at == "" {
		at = in.p.Headers.Get("linear-timestamp")
	}
	if at == "" {
		return VerdictMissingHeader
	}
	return in.andFresh(verdict, at, time.Millisecond, time.Minute)
}

// verifyMailgun checks a token that says nothing about the rest of the body.
// Messages of a subaccount carry a second one under the parent's key.
func verifyMailgun(in *inbound) Verdict {
	r := reader{p: in.p}
	verdict := VerdictMissingHeader
	for _, field := range [...]string{"signature", "parent-signature"} {
		token := r.at(locationBody + field + ".token")
		at := r.at(locationBody + field + ".timestamp")
		sig := r.at(locationBody + field + ".signature")
		if token == "" || at == "" || sig == "" {
			continue
		}
		verdict = hexSHA256.hmac([]string{sig}, []byte(in.secret), []byte(at+token))
		if verdict = in.andFresh(verdict, at, time.Second, 15*time.Minute); verdict != VerdictBadSignature {
			break
		}
	}
	return verdict
}

// mailgunToken is what a signature was made of beside the time. It covers nothing
// of the body.
func mailgunToken(r *reader) string {
	token := r.at("request.body.signature.token")
	if token == "" {
		token = r.at("request.body.parent-signature.token")
	}
	if len(token) > maxKey || !isPlain(token) {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:])
	}
	return token
}

const maxAdyenItems = 100

// verifyAdyen judges the header of the platform webhooks if there is one, else
// the signature in each item of a payment notification: all must be right.
func verifyAdyen(in *inbound) Verdict {
	key, err := adyenKey(in.secret)
	if err != nil {
		return VerdictNoSecret
	}
	if given := in.p.Headers.Get("hmacsignature"); given != "" {
		return base64SHA256.hmac([]string{given}, key, in.p.Body)
	}
	r := reader{p: in.p}
	items := r.root().Get("notificationItems").Array()
	if len(items) == 0 {
		return VerdictMissingHeader
	}
	if len(items) > maxAdyenItems {
		return VerdictMalformedHeader
	}
	for _, item := range items {
		if verdict := verifyAdyenItem(key, item.Get("NotificationRequestItem")); verdict != VerdictValid {
			return verdict
		}
	}
	return VerdictValid
}

func verifyAdyenItem(key []byte, item gjson.Result) Verdict {
	given := item.Get("additionalData.hmacSignature").String()
	if given == "" {
		return VerdictMissingHeader
	}
	fields := [...]string{
		"pspReference", "originalReference", "merchantAccountCode", "merchantReference",
		"amount.value", "amount.currency", "eventCode", "success",
	}
	var signed strings.Builder
	for i, field := range fields {
		if i > 0 {
			signed.WriteByte(':')
		}
		signed.WriteString(item.Get(field).String())
	}
	return base64SHA256.hmac([]string{given}, key, []byte(signed.String()))
}

func adyenKey(secret string) ([]byte, error) {
	key, err := hex.DecodeString(secret)
	if err != nil || len(key) == 0 {
		return nil, errKey
	}
	return key, nil
}

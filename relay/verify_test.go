package relay

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const testSecret = "s3cret"

var testBody = []byte(`{"id":1,"type":"a"}`)

func mac(newHash func() hash.Hash, key, message string) []byte {
	m := hmac.New(newHash, []byte(key))
	m.Write([]byte(message))
	return m.Sum(nil)
}

func hexMAC(message string) string { return hex.EncodeToString(mac(sha256.New, testSecret, message)) }
func b64MAC(message string) string {
	return base64.StdEncoding.EncodeToString(mac(sha256.New, testSecret, message))
}

type verifyCase struct {
	v       Verifier
	p       Payload
	headers Headers
	want    Verdict
}

func runVerify(t *testing.T, cases map[string]verifyCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.p
			p.Headers = c.headers
			if p.Method == "" {
				p.Method = "POST"
			}
			if p.Body == nil {
				p.Body = testBody
			}
			if got := Verify(c.v, noon, &p, "https://in.example/in/a"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestVerifyGeneric(t *testing.T) {
	t.Parallel()
	with := func(hash, encoding, prefix string) Verifier {
		return Verifier{Type: VerifierHMAC, HMAC: &HMACVerifier{Header: "X-Sig", Hash: hash, Secret: testSecret, Encoding: encoding, Prefix: prefix}}
	}
	body := string(testBody)
	sig := func(values ...string) Headers {
		var h Headers
		for _, v := range values {
			h = append(h, Header{"x-sig", v})
		}
		return h
	}
	sha512Base64 := base64.StdEncoding.EncodeToString(mac(sha512.New, testSecret, body))
	urlSafe := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(sha512Base64)
	runVerify(t, map[string]verifyCase{
		"noop":                 {v: Verifier{Type: VerifierNoop}, want: VerdictUnverified},
		"unknown":              {v: Verifier{Type: "pgp"}, want: VerdictUnknownVerifier},
		"no type":              {want: VerdictUnknownVerifier},
		"sha256 hex":           {v: with("sha256", "hex", ""), headers: sig(hexMAC(body)), want: VerdictValid},
		"upper case":           {v: with("SHA256", "HEX", ""), headers: sig(strings.ToUpper(hexMAC(body))), want: VerdictValid},
		"sha1 hex":             {v: with("sha1", "hex", "sha1="), headers: sig("sha1=" + hex.EncodeToString(mac(sha1.New, testSecret, body))), want: VerdictValid},
		"sha512 base64":        {v: with("sha512", "base64", ""), headers: sig(sha512Base64), want: VerdictValid},
		"url-safe base64":      {v: with("sha512", "base64", ""), headers: sig(urlSafe), want: VerdictMalformedHeader},
		"other hash":           {v: with("md5", "hex", ""), headers: sig("x"), want: VerdictUnknownVerifier},
		"other encoding":       {v: with("sha256", "base32", ""), headers: sig("x"), want: VerdictUnknownVerifier},
		"missing":              {v: with("sha256", "hex", ""), want: VerdictMissingHeader},
		"empty":                {v: with("sha256", "hex", ""), headers: sig(""), want: VerdictMissingHeader},
		"missing prefix":       {v: with("sha256", "hex", "sha256="), headers: sig(hexMAC(body)), want: VerdictMalformedHeader},
		"wrong length":         {v: with("sha256", "hex", ""), headers: sig(hexMAC(body)[2:]), want: VerdictMalformedHeader},
		"not hex":              {v: with("sha256", "hex", ""), headers: sig(strings.Repeat("z", 64)), want: VerdictMalformedHeader},
		"of another body":      {v: with("sha256", "hex", ""), headers: sig(hexMAC(body + " ")), want: VerdictBadSignature},
		"second header counts": {v: with("sha256", "hex", ""), headers: sig(strings.Repeat("0", 64), hexMAC(body)), want: VerdictBadSignature},
		"no secret":            {v: Verifier{Type: VerifierHMAC, HMAC: &HMACVerifier{Header: "X-Sig", Hash: "sha256", Encoding: "hex"}}, want: VerdictNoSecret},
		"no settings":          {v: Verifier{Type: VerifierHMAC}, want: VerdictNoSecret},
		"preset's secret":      {v: Verifier{Type: "github"}, want: VerdictNoSecret},
	})
}

func TestVerifyCredentials(t *testing.T) {
	t.Parallel()
	basic := Verifier{Type: VerifierBasicAuth, BasicAuth: &BasicAuthVerifier{Username: "ann", Password: "a:b:c"}}
	key := Verifier{Type: VerifierAPIKey, APIKey: &APIKeyVerifier{HeaderName: "X-Token", HeaderValue: testSecret}}
	given := func(s string) Headers {
		return Headers{{"authorization", "basic " + base64.StdEncoding.EncodeToString([]byte(s))}}
	}
	runVerify(t, map[string]verifyCase{
		"password with colons": {v: basic, headers: given("ann:a:b:c"), want: VerdictValid},
		"wrong password":       {v: basic, headers: given("ann:a:b"), want: VerdictBadSignature},
		"wrong user":           {v: basic, headers: given("bob:a:b:c"), want: VerdictBadSignature},
		"no colon":             {v: basic, headers: given("ann"), want: VerdictMalformedHeader},
		"not base64":           {v: basic, headers: Headers{{"Authorization", "Basic %%"}}, want: VerdictMalformedHeader},
		"bearer":               {v: basic, headers: Headers{{"Authorization", "Bearer x"}}, want: VerdictMalformedHeader},
		"no credentials":       {v: basic, want: VerdictMissingHeader},
		"empty password":       {v: Verifier{Type: VerifierBasicAuth, BasicAuth: &BasicAuthVerifier{Username: "ann"}}, headers: given("ann:"), want: VerdictNoSecret},
		"key":                  {v: key, headers: Headers{{"x-token", testSecret}}, want: VerdictValid},
		"wrong key":            {v: key, headers: Headers{{"x-token", testSecret + "x"}}, want: VerdictBadSignature},
		"no key":               {v: key, want: VerdictMissingHeader},
		"no key set":           {v: Verifier{Type: VerifierAPIKey, APIKey: &APIKeyVerifier{HeaderName: "X"}}, want: VerdictNoSecret},
	})
}

func TestVerifyTimes(t *testing.T) {
	t.Parallel()
	slack := Verifier{Type: "slack", Secret: testSecret}
	stripe := Verifier{Type: "stripe", Secret: testSecret}
	slackAt := func(at string) Headers {
		return Headers{{"X-Slack-Request-Timestamp", at}, {"X-Slack-Signature", "v0=" + hexMAC("v0:"+at+":"+string(testBody))}}
	}
	ago := func(d time.Duration) string { return strconv.FormatInt(noon.Add(-d).Unix(), 10) }
	right := "v1=" + hexMAC(ago(0)+"."+string(testBody))
	stripeWith := func(s string) Headers { return Headers{{"Stripe-Signature", s}} }
	runVerify(t, map[string]verifyCase{
		"now":             {v: slack, headers: slackAt(ago(0)), want: VerdictValid},
		"at the limit":    {v: slack, headers: slackAt(ago(tolerance)), want: VerdictValid},
		"stale":           {v: slack, headers: slackAt(ago(tolerance + time.Second)), want: VerdictStaleTimestamp},
		"future":          {v: slack, headers: slackAt(ago(-tolerance - time.Second)), want: VerdictFutureTimestamp},
		"negative":        {v: slack, headers: slackAt("-" + ago(0)), want: VerdictMalformedHeader},
		"fraction":        {v: slack, headers: slackAt(ago(0) + ".5"), want: VerdictMalformedHeader},
		"huge":            {v: slack, headers: slackAt("1" + strings.Repeat("0", 30)), want: VerdictMalformedHeader},
		"exponent":        {v: slack, headers: slackAt("1e9"), want: VerdictMalformedHeader},
		"no time":         {v: slack, headers: slackAt("")[1:], want: VerdictMissingHeader},
		"one of many":     {v: stripe, headers: stripeWith("t=" + ago(0) + ",v1=00," + right), want: VerdictValid},
		"spaces":          {v: stripe, headers: stripeWith("t=" + ago(0) + ", " + right), want: VerdictValid},
		"only weak v0":    {v: stripe, headers: stripeWith("t=" + ago(0) + ",v0=" + right[3:]), want: VerdictMalformedHeader},
		"too many":        {v: stripe, headers: stripeWith("t=" + ago(0) + strings.Repeat(",v1=00", 10_000) + "," + right), want: VerdictMalformedHeader},
		"second time":     {v: stripe, headers: stripeWith("t=1,t=" + ago(0) + "," + right), want: VerdictBadSignature},
		"no list":         {v: stripe, headers: stripeWith("garbage"), want: VerdictMalformedHeader},
		"nothing but sep": {v: stripe, headers: stripeWith(",=,=,"), want: VerdictMalformedHeader},
	})
}

func TestVerifyProviders(t *testing.T) {
	t.Parallel()
	preset := func(name string) Verifier { return Verifier{Type: name, Secret: testSecret} }
	at, ms, body := strconv.FormatInt(noon.Unix(), 10), strconv.FormatInt(noon.UnixMilli(), 10), string(testBody)
	const publicURL = "https://in.example/in/a"

	mailgun := func(at, token string) []byte {
		return []byte(`{"signature":{"timestamp":"` + at + `","token":"` + token + `","signature":"` + hexMAC(at+"tok") + `"},"event-data":{"event":"opened"}}`)
	}
	parent := []byte(`{"signature":{"timestamp":"` + at + `","token":"tok","signature":"` + strings.Repeat("0", 64) + `"},` +
		`"parent-signature":{"timestamp":"` + at + `","token":"tok","signature":"` + hexMAC(at+"tok") + `"}}`)
	linear := []byte(`{"webhookTimestamp":` + strconv.FormatInt(noon.Add(-2*time.Minute).UnixMilli(), 10) + `}`)
	plain := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	hubSpotV3 := b64MAC("POST" + publicURL + "?a=/x" + body + ms)
	bodyHash := plain(body)
	form := url.Values{"B": {"2", "1"}, "A": {"x y"}}.Encode()
	twilio := func(s string) string { return base64.StdEncoding.EncodeToString(mac(sha1.New, testSecret, s)) }

	runVerify(t, map[string]verifyCase{
		"typeform":           {v: preset("typeform"), headers: Headers{{"Typeform-Signature", "sha256=" + b64MAC(body)}}, want: VerdictValid},
		"dropbox":            {v: preset("dropbox"), headers: Headers{{"X-Dropbox-Signature", hexMAC(body)}}, want: VerdictValid},
		"facebook":           {v: preset("facebook"), headers: Headers{{"X-Hub-Signature-256", "sha256=" + hexMAC(body)}}, want: VerdictValid},
		"newer Shopify name": {v: preset("shopify"), headers: Headers{{"Shopify-Hmac-SHA256", b64MAC(body)}}, want: VerdictValid},
		"GitHub's old SHA-1": {v: preset("github"), headers: Headers{{"X-Hub-Signature", "sha1=" + hex.EncodeToString(mac(sha1.New, testSecret, body))}}, want: VerdictMissingHeader},
		"GitLab token":       {v: preset("gitlab"), headers: Headers{{"X-Gitlab-Token", testSecret}}, want: VerdictValid},
		"GitLab wrong token": {v: preset("gitlab"), headers: Headers{{"X-Gitlab-Token", "x"}}, want: VerdictBadSignature},
		"GitLab downgrade":   {v: Verifier{Type: "gitlab", Secret: "whsec_dGVzdA=="}, headers: Headers{{"X-Gitlab-Token", "whsec_dGVzdA=="}}, want: VerdictMissingHeader},
		"PagerDuty list":     {v: preset("pagerduty"), headers: Headers{{"X-PagerDuty-Signature", "v1=00, v1=" + hexMAC(body)}}, want: VerdictValid},
		"PagerDuty v2 only":  {v: preset("pagerduty"), headers: Headers{{"X-PagerDuty-Signature", "v2=" + hexMAC(body)}}, want: VerdictMalformedHeader},
		"Square with query":  {v: preset("square"), p: Payload{Query: "a=1"}, headers: Headers{{"x-square-hmacsha256-signature", b64MAC(publicURL + "?a=1" + body)}}, want: VerdictValid},

		"Linear stale body":      {v: preset("linear"), p: Payload{Body: linear}, headers: Headers{{"linear-signature", hexMAC(string(linear))}, {"linear-timestamp", ms}}, want: VerdictStaleTimestamp},
		"Linear by header":       {v: preset("linear"), headers: Headers{{"linear-signature", hexMAC(body)}, {"linear-timestamp", ms}}, want: VerdictValid},
		"Linear without a time":  {v: preset("linear"), headers: Headers{{"linear-signature", hexMAC(body)}}, want: VerdictMissingHeader},
		"Mailgun":                {v: preset("mailgun"), p: Payload{Body: mailgun(at, "tok")}, want: VerdictValid},
		"Mailgun's parent":       {v: preset("mailgun"), p: Payload{Body: parent}, want: VerdictValid},
		"Mailgun, other token":   {v: preset("mailgun"), p: Payload{Body: mailgun(at, "other")}, want: VerdictBadSignature},
		"Mailgun, old":           {v: preset("mailgun"), p: Payload{Body: mailgun("1700000000", "tok")}, want: VerdictStaleTimestamp},
		"Mailgun, no JSON":       {v: preset("mailgun"), p: Payload{Body: []byte("x")}, want: VerdictMissingHeader},
		"HubSpot v2":             {v: preset("hubspot"), headers: Headers{{"X-HubSpot-Signature", plain(testSecret + "POST" + publicURL + body)}, {"X-HubSpot-Signature-Version", "v2"}}, want: VerdictValid},
		"HubSpot v3":             {v: preset("hubspot"), p: Payload{Query: "a=%2Fx"}, headers: Headers{{"X-HubSpot-Signature-v3", hubSpotV3}, {"X-HubSpot-Request-Timestamp", ms}}, want: VerdictValid},
		"HubSpot v1 beside a v3": {v: preset("hubspot"), headers: Headers{{"X-HubSpot-Signature-v3", b64MAC("x")}, {"X-HubSpot-Request-Timestamp", ms}, {"X-HubSpot-Signature", plain(testSecret + body)}}, want: VerdictBadSignature},
		"HubSpot v9":             {v: preset("hubspot"), headers: Headers{{"X-HubSpot-Signature", plain(testSecret + body)}, {"X-HubSpot-Signature-Version", "v9"}}, want: VerdictMalformedHeader},

		"Twilio form":               {v: preset("twilio"), p: Payload{Body: []byte(form)}, headers: Headers{{"X-Twilio-Signature", twilio(publicURL + "Ax yB1B2")}, {"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"}}, want: VerdictValid},
		"Twilio JSON":               {v: preset("twilio"), p: Payload{Query: "bodySHA256=" + bodyHash}, headers: Headers{{"X-Twilio-Signature", twilio(publicURL + "?bodySHA256=" + bodyHash)}}, want: VerdictValid},
		"Twilio JSON, changed body": {v: preset("twilio"), p: Payload{Query: "bodySHA256=" + bodyHash, Body: []byte("{}")}, headers: Headers{{"X-Twilio-Signature", twilio(publicURL + "?bodySHA256=" + bodyHash)}}, want: VerdictBadSignature},
		"Twilio, body not covered":  {v: preset("twilio"), headers: Headers{{"X-Twilio-Signature", twilio(publicURL)}, {"Content-Type", "application/json"}}, want: VerdictBadSignature},
	})
}

func TestVerifyAdyen(t *testing.T) {
	t.Parallel()
	const key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(s string) string { return base64.StdEncoding.EncodeToString(mac(sha256.New, string(raw), s)) }
	item := func(reference, sig string) string {
		return `{"NotificationRequestItem":{"additionalData":{"hmacSignature":"` + sig + `"},"amount":{"currency":"EUR","value":7},` +
			`"eventCode":"AUTHORISATION","merchantAccountCode":"M","merchantReference":"R","pspReference":"` + reference + `","success":"true"}}`
	}
	batch := func(items ...string) Payload {
		return Payload{Body: []byte(`{"notificationItems":[` + strings.Join(items, ",") + `]}`)}
	}
	good := item("A", sign("A::M:R:7:EUR:AUTHORISATION:true"))
	v := Verifier{Type: "adyen", Secret: key}
	runVerify(t, map[string]verifyCase{
		"items":            {v: v, p: batch(good, good), want: VerdictValid},
		"one forged item":  {v: v, p: batch(good, item("B", sign("A::M:R:7:EUR:AUTHORISATION:true"))), want: VerdictBadSignature},
		"one bare item":    {v: v, p: batch(good, item("B", "")), want: VerdictMissingHeader},
		"no items":         {v: v, p: batch(), want: VerdictMissingHeader},
		"too many items":   {v: v, p: batch(strings.Split(strings.Repeat("{} ", maxAdyenItems)+"{}", " ")...), want: VerdictMalformedHeader},
		"platform":         {v: v, headers: Headers{{"HmacSignature", sign(string(testBody))}}, want: VerdictValid},
		"key of no digits": {v: Verifier{Type: "adyen", Secret: "no hex"}, p: batch(good), want: VerdictNoSecret},
	})
}

func TestVerifyPublicKeys(t *testing.T) {
	t.Parallel()
	at := strconv.FormatInt(noon.Unix(), 10)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	whpk := Verifier{Type: "standard_webhooks", Secret: "whpk_" + base64.StdEncoding.EncodeToString(public)}
	v1a := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("msg_1."+at+"."+string(testBody))))
	standard := func(sig string) Headers {
		return Headers{{"webhook-id", "msg_1"}, {"webhook-timestamp", at}, {"webhook-signature", sig}}
	}

	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(at + string(testBody)))
	ecSig, err := ecdsa.SignASN1(rand.Reader, ec, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sendGrid := Verifier{Type: "sendgrid", Secret: base64.StdEncoding.EncodeToString(der)}
	const name = "X-Twilio-Email-Event-Webhook-"
	sendGridHeaders := Headers{{name + "Signature", base64.StdEncoding.EncodeToString(ecSig)}, {name + "Timestamp", at}}

	runVerify(t, map[string]verifyCase{
		"v1a":                 {v: whpk, headers: standard("v1,AAAA v1a," + v1a), want: VerdictValid},
		"v1a as v1":           {v: whpk, headers: standard("v1," + v1a), want: VerdictMalformedHeader},
		"v1a of another":      {v: whpk, p: Payload{Body: []byte("{}")}, headers: standard("v1a," + v1a), want: VerdictBadSignature},
		"short v1a":           {v: whpk, headers: standard("v1a,AAAA"), want: VerdictMalformedHeader},
		"broken public key":   {v: Verifier{Type: "svix", Secret: "whpk_AAAA"}, headers: standard("v1a," + v1a), want: VerdictNoSecret},
		"broken secret":       {v: Verifier{Type: "svix", Secret: "whsec_%"}, headers: standard("v1,AAAA"), want: VerdictNoSecret},
		"10,000 signatures":   {v: whpk, headers: standard(strings.Repeat("v1a,AAAA ", 10_000) + "v1a," + v1a), want: VerdictMalformedHeader},
		"SendGrid":            {v: sendGrid, headers: sendGridHeaders, want: VerdictValid},
		"SendGrid, changed":   {v: sendGrid, p: Payload{Body: []byte("[]")}, headers: sendGridHeaders, want: VerdictBadSignature},
		"SendGrid, no key":    {v: Verifier{Type: "sendgrid", Secret: "AAAA"}, headers: sendGridHeaders, want: VerdictNoSecret},
		"Discord, broken key": {v: Verifier{Type: "discord", Secret: "00"}, headers: Headers{{"X-Signature-Ed25519", "00"}, {"X-Signature-Timestamp", at}}, want: VerdictNoSecret},
	})
}

func FuzzVerify(f *testing.F) {
	f.Add("t=1777636800,v1=00,v1=zz", "1777636800", testBody)
	f.Add("v1,AAAA v1a,BBBB", "-1", []byte(`{"signature":{"timestamp":1,"token":"x","signature":"00"}}`))
	f.Add("sha256=,=;ts=;h1=", "", []byte(`{"notificationItems":[{}]}`))
	names := []string{"Authorization", "X-Hub-Signature", "X-Hub-Signature-256", "Stripe-Signature", "Paddle-Signature",
		"webhook-signature", "X-PagerDuty-Signature", "X-Slack-Signature", "X-Twilio-Signature", "hmacsignature",
		"X-Signature-Ed25519", "linear-signature", "X-HubSpot-Signature-v3", "X-Twilio-Email-Event-Webhook-Signature"}
	times := []string{"webhook-timestamp", "webhook-id", "X-Slack-Request-Timestamp", "X-Signature-Timestamp",
		"linear-timestamp", "X-HubSpot-Request-Timestamp", "X-Twilio-Email-Event-Webhook-Timestamp"}
	secrets := []string{testSecret, strings.Repeat("ab", 32), NewSecret()}
	f.Fuzz(func(t *testing.T, sig, at string, body []byte) {
		p := &Payload{Method: "POST", Body: body}
		for _, name := range names {
			p.Headers = append(p.Headers, Header{name, sig})
		}
		for _, name := range times {
			p.Headers = append(p.Headers, Header{name, at})
		}
		for _, preset := range Presets() {
			for _, secret := range secrets {
				if v := Verify(Verifier{Type: preset.Name, Secret: secret}, noon, p, "https://in.example"); v.OK() {
					t.Errorf("%s: %s", preset.Name, v)
				}
			}
		}
	})
}

package relay

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// faults are the names of the fields that err complains about.
func faults(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindValidation {
		t.Fatalf("not a validation error: %v", err)
	}
	var names []string
	for _, f := range e.Fields {
		if f.Message == "" {
			t.Errorf("%s has no message", f.Field)
		}
		names = append(names, f.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func expectFaults(t *testing.T, err error, want string) {
	t.Helper()
	if got := strings.Join(faults(t, err), " "); got != want {
		t.Errorf("complains about %q, want %q (%v)", got, want, err)
	}
}

func TestValidateSource(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Source)
		want   string
	}{
		"good":               {func(*Source) {}, ""},
		"no name":            {func(s *Source) { s.Name = " " }, "name"},
		"long name":          {func(s *Source) { s.Name = strings.Repeat("ä", 201) }, "name"},
		"longest name":       {func(s *Source) { s.Name = strings.Repeat("ä", 200) }, ""},
		"line in name":       {func(s *Source) { s.Name = "a\nb" }, "name"},
		"slug of dots":       {func(s *Source) { s.Slug = ".." }, "slug"},
		"slug with capitals": {func(s *Source) { s.Slug = "Abc" }, "slug"},
		"Cyrillic slug":      {func(s *Source) { s.Slug = "аbc" }, "slug"},
		"leading dash":       {func(s *Source) { s.Slug = "-abc" }, "slug"},
		"long slug":          {func(s *Source) { s.Slug = strings.Repeat("a", 64) }, "slug"},
		"longest slug":       {func(s *Source) { s.Slug = strings.Repeat("a", 63) }, ""},
		"reserved slug":      {func(s *Source) { s.Slug = "healthz" }, "slug"},
		"type":               {func(s *Source) { s.Type = "ftp" }, "type"},
		"provider":           {func(s *Source) { s.Provider = "nobody" }, "provider"},
		"known provider":     {func(s *Source) { s.Provider = "github" }, ""},
		"location":           {func(s *Source) { s.EventTypeLocation = "body.type" }, "event_type_location"},
		"empty segment":      {func(s *Source) { s.EventTypeLocation = "request.body.a..b" }, "event_type_location"},
		"header location":    {func(s *Source) { s.EventTypeLocation = "request.header.X Y" }, "event_type_location"},
		"idempotency keys":   {func(s *Source) { s.IdempotencyKeys = []string{"request.query.a", "nope"} }, "idempotency_keys[1]"},
		"many keys":          {func(s *Source) { s.IdempotencyKeys = slices.Repeat([]string{"request.query.a"}, 11) }, "idempotency_keys"},
		"forward headers":    {func(s *Source) { s.ForwardHeaders = []string{"X-A", "X:"} }, "forward_headers[1]"},
		"retention":          {func(s *Source) { s.RetentionDays = 366 }, "retention_days"},
		"rate limit":         {func(s *Source) { s.RateLimit = -1 }, "rate_limit"},
		"response": {func(s *Source) {
			s.CustomResponse = &CustomResponse{Status: 200, ContentType: "Text/Plain; charset=utf-8", Body: "ok"}
		}, ""},
		"response status":   {func(s *Source) { s.CustomResponse = &CustomResponse{Status: 302} }, "custom_response.status"},
		"response of HTML":  {func(s *Source) { s.CustomResponse = &CustomResponse{Status: 200, ContentType: "text/html"} }, "custom_response.content_type"},
		"response of CRLF":  {func(s *Source) { s.CustomResponse = &CustomResponse{Status: 200, ContentType: "text/plain;\r\nX: y"} }, "custom_response.content_type"},
		"response body":     {func(s *Source) { s.CustomResponse = &CustomResponse{Status: 200, Body: strings.Repeat("x", 16<<10+1)} }, "custom_response.body"},
		"body with 204":     {func(s *Source) { s.CustomResponse = &CustomResponse{Status: 204, Body: "x"} }, "custom_response.body"},
		"no verifier":       {func(s *Source) { s.Verifier = Verifier{} }, "verifier.type"},
		"unknown verifier":  {func(s *Source) { s.Verifier = Verifier{Type: "pgp", Secret: "x"} }, "verifier.type"},
		"preset":            {func(s *Source) { s.Verifier = Verifier{Type: "github", Secret: "x"} }, ""},
		"preset, no secret": {func(s *Source) { s.Verifier = Verifier{Type: "github"} }, "verifier.secret"},
		"preset, bad key":   {func(s *Source) { s.Verifier = Verifier{Type: "discord", Secret: "x"} }, "verifier.secret"},
		"broken whsec":      {func(s *Source) { s.Verifier = Verifier{Type: "clerk", Secret: "whsec_%"} }, "verifier.secret"},
		"broken GitLab":     {func(s *Source) { s.Verifier = Verifier{Type: "gitlab", Secret: "whsec_%"} }, "verifier.secret"},
		"GitLab token":      {func(s *Source) { s.Verifier = Verifier{Type: "gitlab", Secret: "any token"} }, ""},
		"hmac, nothing":     {func(s *Source) { s.Verifier = Verifier{Type: "hmac"} }, "verifier.hmac"},
		"hmac, empty": {func(s *Source) { s.Verifier = Verifier{Type: "hmac", HMAC: &HMACVerifier{}} },
			"verifier.hmac.encoding verifier.hmac.hash verifier.hmac.header verifier.hmac.secret"},
		"hmac": {func(s *Source) {
			s.Verifier = Verifier{Type: "hmac", HMAC: &HMACVerifier{Header: "X-Sig", Hash: "SHA256", Secret: "x", Encoding: "hex"}}
		}, ""},
		"basic, nothing": {func(s *Source) { s.Verifier = Verifier{Type: "basic_auth"} }, "verifier.basic_auth"},
		"basic, colon": {func(s *Source) {
			s.Verifier = Verifier{Type: "basic_auth", BasicAuth: &BasicAuthVerifier{Username: "a:b", Password: "c:d"}}
		}, "verifier.basic_auth.username"},
		"key, empty": {func(s *Source) { s.Verifier = Verifier{Type: "api_key", APIKey: &APIKeyVerifier{}} },
			"verifier.api_key.header_name verifier.api_key.header_value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Source{Name: "Shop", Slug: "shop-1", Type: SourceHTTP, Verifier: Verifier{Type: VerifierNoop}, RetentionDays: 30}
			c.change(&s)
			expectFaults(t, s.Validate(), c.want)
		})
	}
}

func TestValidateEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Endpoint)
		want   string
	}{
		"good":             {func(*Endpoint) {}, ""},
		"no name":          {func(e *Endpoint) { e.Name = "" }, "name"},
		"url":              {func(e *Endpoint) { e.URL = "http://127.0.0.1" }, "url"},
		"description":      {func(e *Endpoint) { e.Description = strings.Repeat("x", 1001) }, "description"},
		"lines":            {func(e *Endpoint) { e.Description = "a\n\tb" }, ""},
		"sources":          {func(e *Endpoint) { e.SourceIDs = make([]ID, 101) }, "source_ids"},
		"filter":           {func(e *Endpoint) { e.EventFilter = []string{"*", "a.*", "a", "a*b", "", " a", "a\x00"} }, "event_filter[3] event_filter[4] event_filter[5] event_filter[6]"},
		"long filter":      {func(e *Endpoint) { e.EventFilter = slices.Repeat([]string{"a"}, 101) }, "event_filter"},
		"status":           {func(e *Endpoint) { e.Status = "off" }, "status"},
		"secret":           {func(e *Endpoint) { e.Secrets = []Secret{{Value: "short"}} }, "secret"},
		"retries":          {func(e *Endpoint) { e.Retry.MaxRetries = 31 }, "retry.max_retries"},
		"no retries":       {func(e *Endpoint) { e.Retry.MaxRetries = 0 }, ""},
		"no delay":         {func(e *Endpoint) { e.Retry.InitialDelay = 0 }, "retry.initial_delay"},
		"negative delay":   {func(e *Endpoint) { e.Retry.InitialDelay = math.MinInt64 }, "retry.initial_delay"},
		"endless delay":    {func(e *Endpoint) { e.Retry.MaxDelay = math.MaxInt64 }, "retry.max_delay"},
		"wrong order":      {func(e *Endpoint) { e.Retry.MaxDelay = time.Second }, "retry.max_delay"},
		"factor":           {func(e *Endpoint) { e.Retry.Factor = 0.5 }, "retry.factor"},
		"factor of NaN":    {func(e *Endpoint) { e.Retry.Factor = math.NaN() }, "retry.factor"},
		"timeout":          {func(e *Endpoint) { e.HTTPTimeout = 61 * time.Second }, "http_timeout"},
		"rate":             {func(e *Endpoint) { e.RateLimit = -1 }, "rate_limit"},
		"rate of no time":  {func(e *Endpoint) { e.RateLimit = 5 }, "rate_limit_duration"},
		"rate in a minute": {func(e *Endpoint) { e.RateLimit, e.RateLimitDuration = 5, time.Minute }, ""},
		"in flight":        {func(e *Endpoint) { e.MaxInFlight = 1001 }, "max_in_flight"},
		"auth":             {func(e *Endpoint) { e.Authentication.Type = "magic" }, "authentication.type"},
		"auth, nothing":    {func(e *Endpoint) { e.Authentication.Type = AuthBearer }, "authentication.bearer"},
		"auth, CRLF": {func(e *Endpoint) { e.Authentication = Authentication{Type: AuthBearer, Bearer: &BearerAuth{"a\r\nb"}} },
			"authentication.bearer.token"},
		"auth, our header": {func(e *Endpoint) {
			e.Authentication = Authentication{Type: AuthAPIKey, APIKey: &APIKeyVerifier{HeaderName: "Webhook-Id", HeaderValue: "x"}}
		}, "authentication.api_key.header_name"},
		"auth, key": {func(e *Endpoint) {
			e.Authentication = Authentication{Type: AuthAPIKey, APIKey: &APIKeyVerifier{HeaderName: "X-Key", HeaderValue: "x"}}
		}, ""},
		"headers": {func(e *Endpoint) {
			e.Headers = Headers{{"X-Team", "a"}, {"Host", "a"}, {"webhook-id", "a"}, {"X-Reprise-Attempt", "a"}, {"X-Bad", "a\r\nb"}, {"Transfer-Encoding", "a"}}
		}, "headers.Host headers.Transfer-Encoding headers.X-Bad headers.X-Reprise-Attempt headers.webhook-id"},
		"header name":  {func(e *Endpoint) { e.Headers = Headers{{"X Team", "a"}} }, "headers"},
		"many headers": {func(e *Endpoint) { e.Headers = make(Headers, 51) }, "headers"},
		"email":        {func(e *Endpoint) { e.SupportEmail = "ann@example.com" }, ""},
		"bad email":    {func(e *Endpoint) { e.SupportEmail = "ann@exa mple" }, "support_email"},
		"slack":        {func(e *Endpoint) { e.SlackWebhookURL = "https://169.254.169.254/" }, "slack_webhook_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Endpoint{
				Name: "Shop", URL: "https://example.com/hook", Status: EndpointActive, Retry: DefaultRetryPolicy(),
				HTTPTimeout: 15 * time.Second, Secrets: []Secret{{Value: NewSecret()}},
			}
			c.change(&e)
			expectFaults(t, e.Validate(EgressPolicy{}), c.want)
		})
	}
}

func TestValidateProject(t *testing.T) {
	t.Parallel()
	expectFaults(t, (&Project{Name: "Shop"}).Validate(), "")
	expectFaults(t, (&Project{}).Validate(), "name")
}

func TestIsEmail(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"ann@example.com": true, "ann+x@localhost": true, "a.b@ex-ample.co": true,
		"": false, "ann": false, "@example.com": false, "ann@": false, "a@b@c": false, "ann@127.0.0.1": false,
		"ann@example..com": false, "a b@example.com": false, "ann@example.com\r\nBcc: x": false, "<ann@example.com>": false,
	} {
		if got := IsEmail(s); got != want {
			t.Errorf("IsEmail(%q) is %v", s, got)
		}
	}
}

func TestSlugify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, suffix, want string }{
		{"My Shop!", "", "my-shop"}, {"  Ünï -- code ", "", "n-code"}, {"", "", "source"}, {"日本", "x7", "source-x7"},
		{"API", "", "api-source"}, {"API", "x7", "api-x7"}, {"v1", "", "v1-source"},
		{strings.Repeat("a", 100), "x7", strings.Repeat("a", 60) + "-x7"},
		{strings.Repeat("a", 59) + " b", "x7", strings.Repeat("a", 59) + "-x7"},
		{"a", strings.Repeat("b", 100), "a-" + strings.Repeat("b", 31)},
	} {
		got := Slugify(c.name, c.suffix)
		if got != c.want || checkSlug(got) != "" {
			t.Errorf("Slugify(%q, %q) is %q, want %q; %s", c.name, c.suffix, got, c.want, checkSlug(got))
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	for _, s := range []string{"2026-05-01T10:00:00Z", "2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00.000Z"} {
		if got, err := ParseTime(s); err != nil || got != want {
			t.Errorf("ParseTime(%q) gives %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "2026-05-01", "2026-05-01T10:00:00", "2026-05-01 10:00:00Z", "2026-02-30T10:00:00Z", "2026-05-01T1:00:00Z", "1777629600", "2026-05-01T10:00:00,5Z", "2026-05-01T10:00:00+99:00"} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("ParseTime(%q) gives %s", s, got)
		}
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	if _, ok := PresetFor("sns"); ok {
		t.Error("SNS cannot be verified without its certificate")
	}
	for _, p := range Presets() {
		if p.Name == "" || p.Title == "" || p.Note == "" || p.verify == nil {
			t.Errorf("%q is incomplete", p.Name)
		}
		for _, l := range append(slices.Clone(p.IdempotencyKeys), p.EventTypeLocation) {
			if l != "" && !isLocation(l) {
				t.Errorf("%s: %q is not a location", p.Name, l)
			}
		}
		if got, ok := PresetFor(p.Name); !ok || got.Title != p.Title {
			t.Errorf("%s is not found by its name", p.Name)
		}
	}
	for alias, name := range presetAliases {
		if p, ok := PresetFor(alias); !ok || p.Name != name {
			t.Errorf("%s is %q", alias, p.Name)
		}
	}
}

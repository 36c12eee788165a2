package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Source is one that the events are for. Its provider is also the name of
// the verifier that takes its signatures.
type Source struct {
	Name, Slug, Provider, Secret string
}

// Sources are what the demo receives from.
func Sources() []Source { return []Source{github, stripe, shopify} }

var (
	github  = Source{"GitHub", "demo-github", "github", "demo-github-secret"}
	stripe  = Source{"Stripe", "demo-stripe", "stripe", "whsec_demo-stripe-secret"}
	shopify = Source{"Shopify", "demo-shopify", "shopify", "demo-shopify-secret"}
)

// Event is one request to a source.
type Event struct {
	SourceName string
	Method     string
	Headers    map[string]string
	Body       []byte
}

// Events are n requests that providers send at now. The same n and now make
// the same events; the first few have one of every kind.
func Events(n int, now time.Time) []Event {
	f := &faker{Rand: rand.New(rand.NewPCG(uint64(now.UnixNano()), 1)), now: now}
	kinds := []func(*faker) Event{
		githubPush, stripePaymentSucceeded, shopifyOrder, githubPullRequest, stripeSubscription, shopifyProduct,
		githubCheckRun, stripeInvoiceFailed, shopifyCustomer, githubIssue, stripeRefund, shopifyInventory, githubRelease,
	}
	events := make([]Event, n)
	for i := range events {
		kind := kinds[i%len(kinds)]
		if i >= len(kinds) {
			kind = pick(f, kinds...)
		}
		events[i] = kind(f)
	}
	return events
}

// event puts a request together.
func (s Source) event(headers map[string]string, body []byte) Event {
	return Event{SourceName: s.Name, Method: http.MethodPost, Headers: headers, Body: body}
}

// hmac is the keyed hash of the parts, one after the other.
func (s Source) hmac(parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, []byte(s.Secret))
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// faker invents.
type faker struct {
	*rand.Rand
	now time.Time
}

func pick[T any](f *faker, from ...T) T { return from[f.IntN(len(from))] }

// ago is a moment in the last minutes before now.
func (f *faker) ago(minutes int) time.Time {
	return f.now.Add(-time.Duration(f.Int64N(int64(minutes) * int64(time.Minute)))).UTC().Truncate(time.Second)
}

func (f *faker) letters(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[f.IntN(len(alphabet))]
	}
	return string(b)
}

func (f *faker) hex(n int) string { return f.letters("0123456789abcdef", n) }

func (f *faker) token(prefix string) string {
	return prefix + "_" + f.letters("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", 24)
}

func (f *faker) uuid() string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", f.hex(8), f.hex(4), f.hex(3), f.hex(3), f.hex(12))
}

// person is somebody who does something.
type person struct{ first, last, login string }

func (f *faker) person() person {
	return pick(f,
		person{"Amara", "Okafor", "amara-o"}, person{"Zoë", "Lindqvist", "zoelind"}, person{"Mateus", "Araújo", "maraujo"},
		person{"Priya", "Raman", "priyaraman"}, person{"Jonas", "Weber", "jweber"}, person{"Mei", "Tanaka", "mei-t"},
		person{"Sofía", "Ibáñez", "sofia-ib"}, person{"Tomasz", "Nowak", "tnowak"}, person{"Leila", "Haddad", "leilah"},
	)
}

func (p person) email() string { return p.login + "@example.com" }

// object is a JSON object that keeps the order of its fields, as a provider's
// documents do.
type object []field

type field struct {
	name  string
	value any
}

// MarshalJSON writes the fields in their order.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// encode writes an object; it holds nothing that JSON cannot.
func (o object) encode(indent string) []byte {
	b, err := json.MarshalIndent(o, "", indent)
	if indent == "" {
		b, err = json.Marshal(o)
	}
	if err != nil {
		panic("demo: " + err.Error())
	}
	return b
}

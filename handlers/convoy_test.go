package handlers

import (
	"fmt"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// TestConvoyWords: each enum of the document has no other values than it lists,
// and the numbers of an endpoint are true.
func TestConvoyWords(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, c := range []struct {
		source                   object
		provider, verifier, kind string
	}{
		{object{"verifier": object{"type": "github", "secret": "canary-canary"}}, "github", "hmac", "http"},
		{object{"verifier": object{"type": "shopify", "secret": "canary-canary"}}, "shopify", "hmac", "http"},
		{object{"verifier": object{"type": "x", "secret": "canary-canary"}}, "twitter", "hmac", "http"},
		{object{"provider": "stripe", "verifier": object{"type": "stripe", "secret": "canary-canary"}}, "", "hmac", "http"},
		{object{"provider": "github"}, "github", "noop", "http"},
		{object{"type": "rest_api"}, "", "noop", "rest_api"},
	} {
		src, err := relay.ParseID(relay.PrefixSource, w.source(c.source)["id"].(string))
		w.must(err)
		found, _ := w.store.Config().Source(src)
		got := w.convoySourceOf(found)
		if got.Provider != c.provider || got.Verifier.Type != c.verifier || string(got.Type) != c.kind || got.Verifier.HMAC.Secret == "canary-canary" {
			t.Errorf("%v: %+v", c.source, got)
		}
	}

	e := w.endpointFor(nil)
	src := w.source(nil)
	for i, status := range []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryDelivered, relay.DeliveryDLQ, relay.DeliveryDelivered} {
		w.event(src, fmt.Sprintf(`{"n":%d}`, i))
		w.settle(status, map[relay.DeliveryStatus]int{relay.DeliveryDelivered: 200, relay.DeliveryDLQ: 500}[status])
	}
	id := w.event(src, `{"n":4}`)
	project := relay.PrefixProject.Format(w.mine.project.ID)
	w.api("POST", "/v1/endpoints/"+e["id"].(string)+"/pause", nil).data(t, 200)
	data := w.call("PUT", "/api/v1/projects/"+project+"/events/"+id+"/replay", nil, "Authorization", w.mine.write).json(t, 200)["data"].(object)
	meta := data["endpoint_metadata"].([]any)[0].(object)
	if meta["events"] != 4.0 || meta["failure_rate"] != 25.0 || meta["status"] != "paused" {
		t.Errorf("endpoint: %v", meta)
	}
}

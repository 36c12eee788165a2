package views

import "github.com/reprise-dev/reprise/relay"

// look is how a state is told: an icon, a word and a tone, the same everywhere.
type look struct {
	Icon string
	Word string
	Tone Tone
}

func deliveryLook(d *relay.Delivery) look {
	if d.InFlight {
		return look{"loader", "sending", ToneAccent}
	}
	return statusLook(d.Status)
}

func statusLook(s relay.DeliveryStatus) look {
	switch s {
	case relay.DeliveryPending:
		return look{"clock", "waiting", ToneNeutral}
	case relay.DeliveryRetrying:
		return look{"rotate-cw", "retrying", ToneWarn}
	case relay.DeliveryDelivered:
		return look{"circle-check", "delivered", ToneGood}
	case relay.DeliveryDLQ:
		return look{"circle-x", "dead letter", ToneBad}
	case relay.DeliveryDiscarded:
		return look{"ban", "discarded", ToneNeutral}
	}
	return look{"circle-dashed", string(s), ToneNeutral}
}

func eventLook(s relay.EventStatus) look {
	switch s {
	case relay.EventReceived:
		return look{"circle-dot", "received", ToneAccent}
	case relay.EventForwarding:
		return look{"loader", "forwarding", ToneAccent}
	case relay.EventDelivered:
		return look{"circle-check", "delivered", ToneGood}
	case relay.EventFailed:
		return look{"circle-x", "failed", ToneBad}
	case relay.EventUnmatched:
		return look{"circle-dashed", "unmatched", ToneNeutral}
	case relay.EventRejected:
		return look{"shield-x", "rejected", ToneBad}
	case relay.EventDuplicate:
		return look{"copy", "duplicate", ToneNeutral}
	}
	return look{"circle-dashed", string(s), ToneNeutral}
}

func endpointLook(s relay.EndpointStatus) look {
	switch s {
	case relay.EndpointActive:
		return look{"circle-check", "active", ToneGood}
	case relay.EndpointPaused:
		return look{"pause", "paused", ToneWarn}
	case relay.EndpointDisabled:
		return look{"unplug", "disabled", ToneNeutral}
	}
	return look{"circle-dashed", string(s), ToneNeutral}
}

func sourceLook(s *relay.Source) look {
	if s.IsDisabled {
		return look{"unplug", "disabled", ToneNeutral}
	}
	return look{"circle-check", "receiving", ToneGood}
}

func verdictLook(v relay.Verdict) look {
	switch v {
	case relay.VerdictValid:
		return look{"shield-check", "verified", ToneGood}
	case relay.VerdictUnverified:
		return look{"shield", "not checked", ToneNeutral}
	case relay.VerdictMissingHeader:
		return look{"shield-x", "no signature", ToneBad}
	case relay.VerdictMalformedHeader:
		return look{"shield-x", "malformed", ToneBad}
	case relay.VerdictStaleTimestamp:
		return look{"shield-x", "too old", ToneBad}
	case relay.VerdictFutureTimestamp:
		return look{"shield-x", "from the future", ToneBad}
	case relay.VerdictUsedToken:
		return look{"shield-x", "used token", ToneBad}
	case relay.VerdictNoSecret:
		return look{"shield-alert", "no secret", ToneBad}
	case relay.VerdictUnknownVerifier:
		return look{"shield-alert", "unknown verifier", ToneBad}
	}
	return look{"shield-x", "bad signature", ToneBad}
}

func verdictSentence(v relay.Verdict) string {
	switch v {
	case relay.VerdictValid:
		return "The signature matches the source's secret."
	case relay.VerdictUnverified:
		return "The source checks no signature, so anybody who knows its URL can post to it."
	case relay.VerdictMissingHeader:
		return "The request carried no signature header. Check that the provider is set up with a secret."
	case relay.VerdictMalformedHeader:
		return "The signature header is not in the form that this verifier expects."
	case relay.VerdictBadSignature:
		return "The signature does not match the body and the source's secret. The secret may have been changed at the provider."
	case relay.VerdictStaleTimestamp:
		return "The signed timestamp was too old when the request came in."
	case relay.VerdictFutureTimestamp:
		return "The signed timestamp lies in the future. Compare the clocks of this server and the sender."
	case relay.VerdictUsedToken:
		return "Its token came with another event before. Whoever sent it again may have listened."
	case relay.VerdictNoSecret:
		return "The source has no secret to check with. Enter one in its settings."
	case relay.VerdictUnknownVerifier:
		return "The source names a verifier that this version does not know, so it refuses everything."
	}
	return ""
}

func outcomeLook(o relay.Outcome) look {
	words := map[relay.Outcome]string{
		relay.OutcomeStatus: "refused", relay.OutcomeRedirect: "redirect", relay.OutcomeGone: "gone",
		relay.OutcomeTimeout: "timed out", relay.OutcomeDNS: "name not found", relay.OutcomeConnect: "no connection",
		relay.OutcomeReset: "connection closed", relay.OutcomeTLS: "TLS failed", relay.OutcomeBlocked: "address blocked",
		relay.OutcomeProtocol: "not HTTP", relay.OutcomeInternal: "internal error",
	}
	switch o {
	case relay.OutcomeSuccess:
		return look{"circle-check", "succeeded", ToneGood}
	case relay.OutcomeInterrupted:
		return look{"circle-dashed", "interrupted", ToneWarn}
	}
	if w := words[o]; w != "" {
		return look{"circle-x", w, ToneBad}
	}
	return look{"circle-x", string(o), ToneBad}
}

func routeLook(r relay.RouteReason) (look, string) {
	switch r {
	case relay.RouteMatched:
		return look{"circle-check", "matched", ToneGood}, "Its subscription takes this event."
	case relay.RoutePaused:
		return look{"pause", "waits", ToneWarn}, "It matched, but the endpoint was paused: the delivery waits until it is resumed."
	case relay.RouteDisabled:
		return look{"unplug", "skipped", ToneNeutral}, "The endpoint was disabled."
	case relay.RouteSource:
		return look{"circle-dashed", "skipped", ToneNeutral}, "It is not subscribed to this source."
	case relay.RouteFilter:
		return look{"circle-dashed", "skipped", ToneNeutral}, "Its event filter does not take this type."
	}
	return look{"circle-dashed", "unknown", ToneNeutral}, ""
}

func triggerWord(t relay.Trigger) string {
	switch t {
	case relay.TriggerReplay:
		return "replay"
	case relay.TriggerTest:
		return "test event"
	}
	return "live"
}

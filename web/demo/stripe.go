package demo

import (
	"encoding/hex"
	"fmt"
	"time"
)

func (f *faker) stripeEvent(eventType string, at time.Time, body object) Event {
	b := object{
		{"id", f.token("evt")},
		{"object", "event"},
		{"api_version", "2025-09-30.clover"},
		{"created", at.Unix()},
		{"data", object{{"object", body}}},
		{"livemode", false},
		{"pending_webhooks", 1},
		{"request", object{{"id", f.token("req")}, {"idempotency_key", f.uuid()}}},
		{"type", eventType},
	}.encode("  ")
	sent := fmt.Sprint(f.now.Unix())
	return stripe.event(map[string]string{
		"Accept":           "*/*; q=0.5, application/xml",
		"Cache-Control":    "no-cache",
		"Content-Type":     "application/json; charset=utf-8",
		"Stripe-Signature": "t=" + sent + ",v1=" + hex.EncodeToString(stripe.hmac([]byte(sent+"."), b)),
		"User-Agent":       "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
	}, b)
}

func stripePaymentSucceeded(f *faker) Event {
	at, amount := f.ago(5), f.amount()
	return f.stripeEvent("payment_intent.succeeded", at, object{
		{"id", f.token("pi")},
		{"object", "payment_intent"},
		{"amount", amount},
		{"amount_received", amount},
		{"capture_method", "automatic"},
		{"created", at.Unix()},
		{"currency", pick(f, "eur", "eur", "usd", "gbp", "sek")},
		{"customer", f.token("cus")},
		{"description", pick(f, "Order #10482", "Northwind Pro, yearly", "Gift card")},
		{"latest_charge", f.token("ch")},
		{"metadata", object{{"order_id", fmt.Sprint(10_000 + f.IntN(900))}}},
		{"payment_method_types", []string{pick(f, "card", "card", "sepa_debit", "klarna")}},
		{"receipt_email", f.person().email()},
		{"status", "succeeded"},
	})
}

func stripeRefund(f *faker) Event {
	at, amount := f.ago(5), f.amount()
	return f.stripeEvent("charge.refunded", at, object{
		{"id", f.token("ch")},
		{"object", "charge"},
		{"amount", amount},
		{"amount_captured", amount},
		{"amount_refunded", amount},
		{"billing_details", f.address(f.person())},
		{"created", at.Add(-48 * time.Hour).Unix()},
		{"currency", "eur"},
		{"customer", f.token("cus")},
		{"disputed", false},
		{"paid", true},
		{"payment_method_details", object{
			{"type", "card"},
			{"card", object{{"brand", pick(f, "visa", "mastercard")}, {"exp_month", 1 + f.IntN(12)}, {"last4", fmt.Sprintf("%04d", f.IntN(10_000))}}},
		}},
		{"refunded", true},
		{"status", "succeeded"},
	})
}

func stripeInvoiceFailed(f *faker) Event {
	at, amount, p := f.ago(5), f.amount(), f.person()
	return f.stripeEvent("invoice.payment_failed", at, object{
		{"id", f.token("in")},
		{"object", "invoice"},
		{"amount_due", amount},
		{"amount_paid", 0},
		{"amount_remaining", amount},
		{"attempt_count", 1 + f.IntN(3)},
		{"attempted", true},
		{"billing_reason", "subscription_cycle"},
		{"collection_method", "charge_automatically"},
		{"created", at.Unix()},
		{"currency", "eur"},
		{"customer", f.token("cus")},
		{"customer_email", p.email()},
		{"customer_name", p.first + " " + p.last},
		{"next_payment_attempt", at.Add(72 * time.Hour).Unix()},
		{"number", fmt.Sprintf("NW-%04d", f.IntN(10_000))},
		{"status", "open"},
		{"subscription", f.token("sub")},
	})
}

func stripeSubscription(f *faker) Event {
	at := f.ago(5)
	return f.stripeEvent("customer.subscription.updated", at, object{
		{"id", f.token("sub")},
		{"object", "subscription"},
		{"cancel_at_period_end", f.IntN(4) == 0},
		{"created", at.Add(-90 * 24 * time.Hour).Unix()},
		{"current_period_end", at.Add(30 * 24 * time.Hour).Unix()},
		{"customer", f.token("cus")},
		{"items", object{{"object", "list"}, {"data", []object{{
			{"id", f.token("si")},
			{"price", object{{"id", f.token("price")}, {"unit_amount", pick(f, 900, 2900, 9900)}, {"currency", "eur"}}},
			{"quantity", 1 + f.IntN(20)},
		}}}}},
		{"status", pick(f, "active", "active", "past_due", "trialing")},
	})
}

// amount is in cents.
func (f *faker) amount() int { return pick(f, 999, 1900, 4950, 12_000, 129_900) + f.IntN(500) }

func (f *faker) address(p person) object {
	return object{
		{"address", object{
			{"city", pick(f, "Göteborg", "São Paulo", "Kraków", "Lisboa", "München")},
			{"country", pick(f, "SE", "BR", "PL", "PT", "DE")},
			{"postal_code", fmt.Sprintf("%05d", f.IntN(99_999))},
		}},
		{"email", p.email()},
		{"name", p.first + " " + p.last},
	}
}

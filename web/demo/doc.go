// Package demo makes something to look at: events such as GitHub, Stripe and
// Shopify send them, signed as they sign them, and a receiver that takes some
// of them badly.
package demo

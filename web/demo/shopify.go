package demo

import (
	"encoding/base64"
	"fmt"
	"time"
)

const shopifyShop = "northwind-outfitters.myshopify.com"

func (f *faker) shopifyEvent(topic string, at time.Time, body object) Event {
	b := body.encode("")
	return shopify.event(map[string]string{
		"Accept":                 "*/*",
		"Content-Type":           "application/json",
		"User-Agent":             "Shopify-Captain-Hook",
		"X-Shopify-API-Version":  "2026-07",
		"X-Shopify-Event-Id":     f.uuid(),
		"X-Shopify-Hmac-SHA256":  base64.StdEncoding.EncodeToString(shopify.hmac(b)),
		"X-Shopify-Shop-Domain":  shopifyShop,
		"X-Shopify-Topic":        topic,
		"X-Shopify-Triggered-At": at.Format(time.RFC3339Nano),
		"X-Shopify-Webhook-Id":   f.uuid(),
	}, b)
}

func shopifyOrder(f *faker) Event {
	at, p := f.ago(5), f.person()
	var (
		items []object
		total int
	)
	for range 1 + f.IntN(3) {
		item, cents := f.lineItem()
		items, total = append(items, item), total+cents
	}
	number := 1000 + f.IntN(9000)
	return f.shopifyEvent(pick(f, "orders/create", "orders/create", "orders/paid", "orders/fulfilled"), at, object{
		{"id", f.shopifyID()},
		{"admin_graphql_api_id", fmt.Sprintf("gid://shopify/Order/%d", f.shopifyID())},
		{"confirmed", true},
		{"contact_email", p.email()},
		{"created_at", at.Format(time.RFC3339)},
		{"currency", "EUR"},
		{"current_total_price", money(total)},
		{"financial_status", pick(f, "paid", "paid", "pending", "partially_refunded")},
		{"name", fmt.Sprintf("#%d", number)},
		{"note", pick[any](f, nil, nil, "Please leave it with the neighbour — thank you!")},
		{"order_number", number},
		{"tags", pick(f, "", "vip", "wholesale, net-30")},
		{"total_tax", money(total / 5)},
		{"customer", f.customer(p)},
		{"line_items", items},
		{"shipping_address", f.address(p)},
	})
}

func shopifyProduct(f *faker) Event {
	at := f.ago(5)
	title, cents := f.product()
	id := f.shopifyID()
	return f.shopifyEvent("products/update", at, object{
		{"id", id},
		{"body_html", "<p>Made to <strong>last</strong>.</p>"},
		{"created_at", at.Add(-200 * 24 * time.Hour).Format(time.RFC3339)},
		{"handle", fmt.Sprintf("product-%d", id%1000)},
		{"product_type", "Outdoor"},
		{"status", "active"},
		{"title", title},
		{"updated_at", at.Format(time.RFC3339)},
		{"vendor", "Northwind"},
		{"variants", []object{
			{{"id", f.shopifyID()}, {"price", money(cents)}, {"sku", f.sku()}, {"inventory_quantity", f.IntN(200)}},
			{{"id", f.shopifyID()}, {"price", money(cents + 500)}, {"sku", f.sku()}, {"inventory_quantity", f.IntN(20)}},
		}},
	})
}

func shopifyCustomer(f *faker) Event {
	at := f.ago(5)
	return f.shopifyEvent("customers/create", at, f.customer(f.person()))
}

func shopifyInventory(f *faker) Event {
	at := f.ago(5)
	return f.shopifyEvent("inventory_levels/update", at, object{
		{"inventory_item_id", f.shopifyID()},
		{"location_id", 655_441_491},
		{"available", f.IntN(120)},
		{"updated_at", at.Format(time.RFC3339)},
	})
}

func (f *faker) customer(p person) object {
	return object{
		{"id", f.shopifyID()},
		{"email", p.email()},
		{"first_name", p.first},
		{"last_name", p.last},
		{"orders_count", f.IntN(40)},
		{"state", "enabled"},
		{"verified_email", true},
		{"default_address", f.address(p)},
	}
}

func (f *faker) lineItem() (item object, cents int) {
	title, price := f.product()
	quantity := 1 + f.IntN(3)
	return object{
		{"id", f.shopifyID()},
		{"name", title},
		{"price", money(price)},
		{"quantity", quantity},
		{"sku", f.sku()},
		{"grams", 100 + f.IntN(3000)},
		{"requires_shipping", true},
	}, price * quantity
}

func (f *faker) product() (title string, cents int) {
	titles := []string{"Fjäll rain jacket", "Trail mug 350 ml", "Merino socks (2 pairs)", "Daypack \"Nord\" 22 L", "Head torch"}
	i := f.IntN(len(titles))
	return titles[i], []int{18_900, 1_450, 2_200, 8_990, 3_495}[i]
}

func (f *faker) shopifyID() int { return 5_000_000_000_000 + f.IntN(900_000_000_000) }

func (f *faker) sku() string {
	return "NW-" + f.letters("ABCDEFGH", 3) + "-" + fmt.Sprint(100+f.IntN(900))
}

func money(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

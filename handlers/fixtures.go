package handlers

import "strings"

// fixture is what a test event carries, by what its type is about: the first
// part of message.delivered is message.
func fixture(eventType string) map[string]any {
	subject, act, _ := strings.Cut(eventType, ".")
	data := map[string]any{"object": subject}
	switch subject {
	case "message", "email":
		data["message_id"], data["to"], data["from"] = "msg_test_0001", "ada@example.com", "hello@example.com"
		data["subject"], data["status"] = "This is a test", act
	case "invoice":
		data["invoice_id"], data["number"], data["status"] = "in_test_0001", "TEST-0001", act
		data["amount_due"], data["currency"] = 4200, "eur"
	case "payment", "payment_intent", "charge", "checkout":
		data["payment_id"], data["status"] = "pay_test_0001", act
		data["amount"], data["currency"] = 4200, "eur"
	case "order", "orders":
		data["order_id"], data["status"] = "ord_test_0001", act
		data["total"], data["currency"] = "42.00", "EUR"
		data["items"] = []map[string]any{{"sku": "TEST-1", "quantity": 1, "price": "42.00"}}
	case "customer", "user", "contact":
		data["id"], data["email"], data["name"] = "usr_test_0001", "ada@example.com", "Ada Lovelace"
	case "subscription":
		data["subscription_id"], data["plan"], data["status"] = "sub_test_0001", "test", act
	case "session":
		data["session_id"], data["status"] = "ses_test_0001", act
	case "push":
		data["ref"], data["repository"] = "refs/heads/main", "example/test"
		data["commits"] = []map[string]any{{"id": "0000000", "message": "A test commit"}}
	}
	return data
}

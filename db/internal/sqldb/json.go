package sqldb

import (
	"encoding/json"
	"fmt"
)

// FromJSON reads what JSONText stored.
func FromJSON[T any](text string) (T, error) {
	var v T
	err := json.Unmarshal([]byte(text), &v)
	return v, err
}

// JSONText stores small lists and options.
func JSONText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("db: %T does not marshal: %v", v, err)) // only our own plain types come here
	}
	return string(b)
}

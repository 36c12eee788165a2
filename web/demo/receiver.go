package demo

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// patience is how long /flaky keeps a request waiting, longer than the
// deliveries of the demo do.
const patience = 20 * time.Second

// Receiver is where the demo delivers to: /good takes everything, /flaky
// fails one of three requests, by turns with an error and by not answering,
// and /dead takes nothing.
func Receiver() http.Handler {
	var flaky atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /good", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, http.StatusOK, `{"received":true}`)
	})
	mux.HandleFunc("POST /flaky", func(w http.ResponseWriter, r *http.Request) {
		switch flaky.Add(1) % 6 {
		case 3:
			answer(w, r, http.StatusInternalServerError, `{"error":"deadlock detected, please try again"}`)
		case 0:
			_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the connection noticed
			select {
			case <-r.Context().Done():
			case <-time.After(patience):
			}
		default:
			answer(w, r, http.StatusAccepted, `{"queued":true}`)
		}
	})
	mux.HandleFunc("POST /dead", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, http.StatusServiceUnavailable, "upstream connect error or disconnect/reset before headers\n")
	})
	return mux
}

func answer(w http.ResponseWriter, r *http.Request, status int, body string) {
	_, _ = io.Copy(io.Discard, r.Body)
	if body[0] == '{' {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

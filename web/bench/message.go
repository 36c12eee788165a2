package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// message is what an event carries: the measurement that it belongs to, its
// number there, and when it was meant to be sent.
type message struct {
	run  string // runLen characters at most
	seq  int
	sent int64 // Unix nanoseconds
}

const (
	runLen  = 16
	seqLen  = 10
	sentLen = 20

	runHead  = `{"type":"bench.event","run":"`
	seqHead  = `","seq":"`
	sentHead = `","sent":"`
	padHead  = `","pad":"`
	tail     = `"}`

	runAt  = len(runHead)
	seqAt  = runAt + runLen + len(seqHead)
	sentAt = seqAt + seqLen + len(sentHead)
	padAt  = sentAt + sentLen + len(padHead)
)

// appendTo writes the message as a JSON body of size bytes, or of the least
// size if that is more.
func (m message) appendTo(b []byte, size int) []byte {
	start := len(b)
	b = fmt.Appendf(b, "%s%-*s%s%0*d%s%0*d%s", runHead, runLen, m.run, seqHead, seqLen, m.seq, sentHead, sentLen, m.sent, padHead)
	for pad := size - len(tail) - (len(b) - start); pad > 0; {
		n := min(pad, len(padding)-26)
		b = append(b, padding[m.seq%26:][:n]...)
		pad -= n
	}
	return append(b, tail...)
}

// padding begins differently for each of 26 messages, so that a mixed-up
// body is noticed.
var padding = strings.Repeat("abcdefghijklmnopqrstuvwxyz", 128)

// parse reads a message. It is false if a single byte is not as appendTo
// wrote it.
func parse(body, scratch []byte) (message, bool) {
	if len(body) < padAt+len(tail) {
		return message{}, false
	}
	var m message
	m.run = string(bytes.TrimRight(body[runAt:runAt+runLen], " "))
	seq, seqErr := strconv.Atoi(string(body[seqAt : seqAt+seqLen]))
	sent, sentErr := strconv.ParseInt(string(body[sentAt:sentAt+sentLen]), 10, 64)
	m.seq, m.sent = seq, sent
	return m, seqErr == nil && sentErr == nil && seq >= 0 && bytes.Equal(body, m.appendTo(scratch[:0], len(body)))
}

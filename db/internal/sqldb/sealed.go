package sqldb

import (
	"encoding/binary"

	"github.com/reprise-dev/reprise/relay"
)

// SealedMark begins headers that are sealed.
//
// The headers of a payload can hold the secret of their source, and whatever
// else a sender proves itself by. They are kept sealed: after a zero byte, which
// encoded headers never begin with, comes what Box.Seal makes of them. Before
// the headers stand the names of those that are credentials, and their length.
const SealedMark = 0

// SealHeaders seals the headers of an event's payload.
func (b *Box) SealHeaders(event relay.ID, p *relay.Payload) []byte {
	var names relay.Headers
	for _, name := range p.Credentials {
		names = append(names, relay.Header{Name: name})
	}
	first := relay.EncodeHeaders(names)
	plain := append(binary.AppendUvarint(nil, uint64(len(first))), first...)
	return append([]byte{SealedMark}, b.Seal(append(plain, relay.EncodeHeaders(p.Headers)...), "payloads", event)...)
}

// OpenHeaders reads what sealHeaders made, and the plain headers of before.
func (b *Box) OpenHeaders(event relay.ID, stored []byte) (headers relay.Headers, credentials []string, err error) {
	if len(stored) == 0 || stored[0] != SealedMark {
		headers, err = relay.DecodeHeaders(stored)
		return headers, nil, err
	}
	plain, err := b.Open(stored[1:], "payloads", event)
	if err != nil {
		return nil, nil, err
	}
	size, n := binary.Uvarint(plain)
	names, err := relay.DecodeHeaders(plain[n : n+int(size)])
	if err != nil {
		return nil, nil, err
	}
	for _, h := range names {
		credentials = append(credentials, h.Name)
	}
	headers, err = relay.DecodeHeaders(plain[n+int(size):])
	return headers, credentials, err
}

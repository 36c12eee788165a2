package relay

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// NewIDAt makes an id whose time part is at, so that a range of times is a
// range of ids. The twelve bits after the version hold the fraction of the
// millisecond (RFC 9562, 6.2, method 3): ids sort by the microsecond.
func NewIDAt(at time.Time) ID {
	id := IDFloor(at)
	_, _ = rand.Read(id[8:]) // never fails since Go 1.24
	fraction := uint16(at.Nanosecond() % 1e6 * 4096 / 1e6)
	binary.BigEndian.PutUint16(id[6:], 0x7000|fraction)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IDFloor is the smallest id of the millisecond that holds at.
func IDFloor(at time.Time) ID {
	var id ID
	ms := max(at.UnixMilli(), 0)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(ms))
	copy(id[:6], b[2:])
	return id
}

// Time is the time part of an id, to the millisecond.
func (id ID) Time() time.Time {
	var b [8]byte
	copy(b[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))).UTC()
}

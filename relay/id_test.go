package relay

import (
	"strings"
	"testing"
	"time"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	id := NewID()
	for s, ok := range map[string]bool{
		"whk_" + id.UUID(): true, "dst_" + id.UUID(): true, "ep_" + id.UUID(): true, "whk_" + id.Hex(): true,
		id.UUID(): true, id.Hex(): true, strings.ToUpper(id.UUID()): true,
		"evt_" + id.UUID(): false, "whk_": false, "": false, "whk_whk_" + id.UUID(): false, "whk_" + id.UUID() + "0": false,
		"{" + id.UUID() + "}": false, "urn:uuid:" + id.UUID(): false, "00000000-0000-0000-0000-000000000000": false,
		" " + id.UUID(): false, strings.Replace(id.UUID(), "-", "_", 1): false,
	} {
		got, err := ParseID(PrefixEndpoint, s)
		if ok && (err != nil || got != id) {
			t.Errorf("ParseID(%q) gives %s, %v", s, got, err)
		}
		if !ok && KindOf(err) != KindInvalidID {
			t.Errorf("ParseID(%q) gives %s, %v", s, got, err)
		}
	}
	if PrefixEvent.Format(ID{}) != "" {
		t.Error("no id is shown as one")
	}
}

func TestIDTimes(t *testing.T) {
	t.Parallel()
	at := noon.Add(123 * time.Millisecond)
	id := NewIDAt(at)
	if got := id.Time(); !got.Equal(at) {
		t.Errorf("the time of the id is %s", got)
	}
	if floor := IDFloor(at); floor.Hex() > id.Hex() || IDFloor(at.Add(time.Millisecond)).Hex() <= id.Hex() {
		t.Errorf("%s is not between the floors of its and the next millisecond", id)
	}
	if !strings.HasPrefix(id.UUID()[14:], "7") {
		t.Errorf("%s is not of version 7", id)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("evt_0190a000-0000-7000-8000-000000000000")
	f.Add("0190a0000000700080000000000000ff")
	f.Add("evt_")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(PrefixEvent, s)
		if err != nil {
			return
		}
		again, err := ParseID(PrefixEvent, PrefixEvent.Format(id))
		if err != nil || again != id {
			t.Errorf("%q is %s, which is read back as %s, %v", s, id, again, err)
		}
	})
}

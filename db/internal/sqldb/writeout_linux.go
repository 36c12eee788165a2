package sqldb

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting has what was written to a file go to the disk from now on, and
// does not wait for it. See sync_file_range(2): nothing counts as being there
// before the file is synced.
func startWriting(f *os.File) error {
	return unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

package operation

import (
	"fmt"
	"time"
)

// Limits is the one table of what archives and operations may be. Zero never means
// unlimited: Check refuses it.
type Limits struct {
	// Operations is how many a person has at once, those that are done included.
	Operations int
	// Life is how long an operation is kept, with its archive.
	Life time.Duration
	// ArchiveBytes is the size of an archive that is imported.
	ArchiveBytes int64
	// Files is how many files are in one, and DirectoryBytes how large the list of
	// them is.
	Files, DirectoryBytes int
	// UnpackedBytes is the size of all its files.
	UnpackedBytes int64
	// ManifestBytes is the size of its manifest.
	ManifestBytes int64
	// LineBytes is the size of one entry.
	LineBytes int
	// Entries is how many entries are in one.
	Entries int64
}

// DefaultLimits are good for a small deployment.
func DefaultLimits() Limits {
	return Limits{
		Operations:     10,
		Life:           24 * time.Hour,
		ArchiveBytes:   1 << 30,
		Files:          1000,
		DirectoryBytes: 1 << 20,
		UnpackedBytes:  8 << 30,
		ManifestBytes:  1 << 20,
		LineBytes:      16 << 20,
		Entries:        2_000_000,
	}
}

// Check refuses limits that are not positive.
func (l Limits) Check() error {
	for name, n := range map[string]int64{
		"Operations": int64(l.Operations), "Life": int64(l.Life), "ArchiveBytes": l.ArchiveBytes, "Files": int64(l.Files),
		"DirectoryBytes": int64(l.DirectoryBytes), "UnpackedBytes": l.UnpackedBytes, "ManifestBytes": l.ManifestBytes,
		"LineBytes": int64(l.LineBytes), "Entries": l.Entries,
	} {
		if n <= 0 {
			return fmt.Errorf("operation: limit %s must be positive, not %d", name, n)
		}
	}
	return nil
}

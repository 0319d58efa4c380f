package operation

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// The format of archives, which docs/export.md tells of.
const (
	formatName    = "rebound-export"
	formatVersion = 1
	manifestFile  = "manifest.json"
	lineSuffix    = ".ndjson"
	pagesFolder   = "journal/"
	pageSuffix    = ".md"
)

// fileTime is the time of every file: the same data gives the same archive.
var fileTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// manifest says what is in an archive.
type manifest struct {
	Format  string         `json:"format"`
	Version int            `json:"version"`
	Kinds   []manifestKind `json:"kinds"`
}

type manifestKind struct {
	Kind    string `json:"kind"`
	File    string `json:"file"`
	Entries int64  `json:"entries"`
}

// invalid is what is wrong with an archive. What is in it is not repeated.
func invalid(format string, args ...any) error {
	return fault.Invalid("archive", "ARCHIVE_INVALID", format, args...)
}

// archive is one that is read.
type archive struct {
	limits Limits
	from   *chunkReader
	files  map[string]*zip.File
	manifest
	unpacked int64 // bytes of all files so far
}

var pageName = regexp.MustCompile(`^journal/[0-9]{4}\.md$`)

// openArchive reads the list of files and the manifest of an archive.
func openArchive(from *chunkReader, limits Limits) (*archive, error) {
	a := &archive{limits: limits, from: from, files: map[string]*zip.File{}}
	if err := checkDirectory(from, from.size, limits); err != nil {
		return nil, a.blame(err)
	}
	z, err := zip.NewReader(from, from.size)
	if err != nil {
		return nil, a.blame(invalid("is not a whole zip file"))
	}
	for _, f := range z.File {
		known := f.Name == manifestFile || strings.HasSuffix(f.Name, lineSuffix) || pageName.MatchString(f.Name) ||
			f.Name == pagesFolder && f.UncompressedSize64 == 0
		if !known || a.files[f.Name] != nil {
			return nil, invalid("has a file that does not belong to an export, or one twice")
		}
		a.files[f.Name] = f
	}
	if err := a.readManifest(); err != nil {
		return nil, a.blame(err)
	}
	return a, nil
}

// blame gives what kept an archive from being read, where it was not its own fault.
func (a *archive) blame(err error) error {
	if a.from.failed != nil {
		return a.from.failed
	}
	return err
}

// The end of a zip file (APPNOTE 4.3.16): its signature, its length without a
// comment, and where in it lie the number of files, the size of the list of files
// and where that begins.
const (
	endSignature  = 0x06054b50
	endBytes      = 22
	endFiles      = 10
	endListBytes  = 12
	endListOffset = 16
)

// checkDirectory bounds what reading the list of files takes: it has to end right
// where the end record begins, so that no more is read than that says.
func checkDirectory(from io.ReaderAt, size int64, limits Limits) error {
	if size < endBytes {
		return invalid("is not a whole zip file")
	}
	end := make([]byte, endBytes)
	if _, err := from.ReadAt(end, size-endBytes); err != nil {
		return err
	}
	files := int(binary.LittleEndian.Uint16(end[endFiles:]))
	list := int64(binary.LittleEndian.Uint32(end[endListBytes:]))
	offset := int64(binary.LittleEndian.Uint32(end[endListOffset:]))
	switch {
	case binary.LittleEndian.Uint32(end) != endSignature || offset+list != size-endBytes:
		return invalid("is not a whole zip file, or has something after its end")
	case files > limits.Files || list > int64(limits.DirectoryBytes):
		return invalid("must have at most %d files", limits.Files)
	}
	return nil
}

func (a *archive) readManifest() error {
	f := a.files[manifestFile]
	if f == nil {
		return invalid("has no %s: it is no export", manifestFile)
	}
	r, err := f.Open()
	if err != nil {
		return invalid("has a %s that cannot be read", manifestFile)
	}
	text, err := io.ReadAll(io.LimitReader(r, a.limits.ManifestBytes+1))
	if err != nil || int64(len(text)) > a.limits.ManifestBytes || json.Unmarshal(text, &a.manifest) != nil || a.Format != formatName {
		return invalid("has a %s that is no export's", manifestFile)
	}
	if a.Version != formatVersion {
		return fault.Invalid("archive", "ARCHIVE_VERSION", "is of version %d; this release reads version %d", a.Version, formatVersion)
	}
	var entries int64
	for i, k := range a.Kinds {
		entries += k.Entries
		if k.File != k.Kind+lineSuffix || a.files[k.File] == nil || k.Entries < 0 || entries > a.limits.Entries ||
			slices.ContainsFunc(a.Kinds[:i], func(other manifestKind) bool { return other.Kind == k.Kind }) {
			return invalid("has a %s that does not fit its files, or more than %d entries", manifestFile, a.limits.Entries)
		}
	}
	for name := range a.files {
		if strings.HasSuffix(name, lineSuffix) && !slices.ContainsFunc(a.Kinds, func(k manifestKind) bool { return k.File == name }) {
			return invalid("has a file that its %s does not name", manifestFile)
		}
	}
	return nil
}

// entries is how many entries the archive has.
func (a *archive) entries() int64 {
	var n int64
	for _, k := range a.Kinds {
		n += k.Entries
	}
	return n
}

// records reads the entries of a kind: one of them is in memory. They have to be
// as many as the manifest says, in the order of their names.
func (a *archive) records(k manifestKind) iter.Seq2[transfer.Record, error] {
	return func(yield func(transfer.Record, error) bool) {
		r, err := a.files[k.File].Open()
		if err != nil {
			yield(transfer.Record{}, a.blame(invalid("has a file %s that cannot be read", k.File)))
			return
		}
		defer func() { _ = r.Close() }() // it was only read
		lines := bufio.NewScanner(&boundedReader{r: r, read: &a.unpacked, max: a.limits.UnpackedBytes})
		lines.Buffer(nil, a.limits.LineBytes)
		last, n := "", int64(0)
		for lines.Scan() {
			n++
			rec, err := record(k, n, lines.Bytes(), last)
			if !yield(rec, err) || err != nil {
				return
			}
			last = rec.Name
		}
		switch err := lines.Err(); {
		case errors.Is(err, errTooMuch):
			yield(transfer.Record{}, invalid("has more than %d bytes when it is unpacked", a.limits.UnpackedBytes))
		case errors.Is(err, bufio.ErrTooLong):
			yield(transfer.Record{}, invalid("has an entry of more than %d bytes at %s, line %d", a.limits.LineBytes, k.File, n+1))
		case err != nil:
			yield(transfer.Record{}, a.blame(invalid("is damaged at %s, line %d", k.File, n+1)))
		case n != k.Entries:
			yield(transfer.Record{}, invalid("has %d entries in %s and not %d, as its %s says", n, k.File, k.Entries, manifestFile))
		}
	}
}

func record(k manifestKind, n int64, line []byte, last string) (transfer.Record, error) {
	var named struct {
		Name string `json:"name"`
	}
	if n > k.Entries {
		return transfer.Record{}, invalid("has more entries in %s than its %s says", k.File, manifestFile)
	}
	if err := json.Unmarshal(line, &named); err != nil {
		return transfer.Record{}, invalid("has no JSON at %s, line %d", k.File, n)
	}
	if named.Name <= last {
		return transfer.Record{}, invalid("is not in the order of names at %s, line %d", k.File, n)
	}
	return transfer.Record{Kind: k.Kind, Name: named.Name, Data: string(bytes.TrimSpace(line))}, nil
}

var errTooMuch = errors.New("operation: too much is packed")

// boundedReader ends what unpacks to more than it may.
type boundedReader struct {
	r    io.Reader
	read *int64
	max  int64
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if *b.read += int64(n); *b.read > b.max {
		return 0, errTooMuch
	}
	return n, err
}

// archiveWriter writes an archive.
type archiveWriter struct {
	zip  *zip.Writer
	file io.Writer
	name string
	kept manifest
}

func newArchiveWriter(w io.Writer) *archiveWriter {
	return &archiveWriter{zip: zip.NewWriter(w), kept: manifest{Format: formatName, Version: formatVersion, Kinds: []manifestKind{}}}
}

// open goes on in a file, beginning it when it is not the one of before.
func (a *archiveWriter) open(name string) (begun bool, err error) {
	if name == a.name {
		return false, nil
	}
	a.name = name
	a.file, err = a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: fileTime})
	return true, err
}

// line writes an entry.
func (a *archiveWriter) line(rec transfer.Record) error {
	begun, err := a.open(rec.Kind + lineSuffix)
	if err != nil {
		return err
	}
	if begun {
		a.kept.Kinds = append(a.kept.Kinds, manifestKind{Kind: rec.Kind, File: a.name})
	}
	a.kept.Kinds[len(a.kept.Kinds)-1].Entries++
	_, err = io.WriteString(a.file, rec.Data+"\n")
	return err
}

// finish writes the manifest and the end.
func (a *archiveWriter) finish() error {
	if _, err := a.open(manifestFile); err != nil {
		return err
	}
	text, err := json.MarshalIndent(a.kept, "", " ")
	if err != nil {
		return err
	}
	if _, err := a.file.Write(append(text, '\n')); err != nil {
		return err
	}
	return a.zip.Close()
}

// pages writes entries for reading: a file for each year, with a heading for each
// day.
type pages struct {
	*archiveWriter
	zone *time.Location
	year int
	day  string
}

func (p *pages) add(rec transfer.Record) error {
	made := rec.CreateTime.In(p.zone)
	p.year = max(p.year, made.Year()) // where clocks went back on New Year's Day, too
	begun, err := p.open(fmt.Sprintf("%s%04d%s", pagesFolder, p.year, pageSuffix))
	if err != nil {
		return err
	}
	var text strings.Builder
	if begun {
		fmt.Fprintf(&text, "# %04d\n\n", p.year)
	}
	if day := made.Format("Monday, January 2, 2006"); day != p.day || begun {
		p.day = day
		text.WriteString("## " + day + "\n\n")
	}
	text.WriteString(rec.Data + "\n")
	_, err = io.WriteString(p.file, text.String())
	return err
}

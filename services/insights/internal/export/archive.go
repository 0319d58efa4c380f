package export

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// The form of exports, which docs/pipelines.md tells of.
const (
	version      = 1
	manifestFile = "manifest.json"
	// fileRows is how many rows a file has at most.
	fileRows = 100_000
)

// suffixes are how files are called, by format.
var suffixes = map[insightsv1.ExportFormat]string{
	insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON:  ".ndjson",
	insightsv1.ExportFormat_EXPORT_FORMAT_CSV:     ".csv",
	insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET: ".parquet",
}

// Archive writes rows into the files of a zip file, and, at its end, the manifest.
// It holds a group of rows of one file at most.
type Archive struct {
	zip      *zip.Writer
	table    *Table
	manifest *insightsv1.ExportManifest
	fileRows int64
	file     *file // that rows are written to; nil: the next one is to be begun
}

// file is a file that is written.
type file struct {
	rows
	to   *measured
	told *insightsv1.ExportFile
}

// measured hashes and counts what is written through it.
type measured struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

// Write implements io.Writer.
func (m *measured) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

// NewArchive begins an archive of a table. The manifest says what is exported, how
// and from when; what is in the files is added to it.
func NewArchive(w io.Writer, t *Table, manifest *insightsv1.ExportManifest) *Archive {
	manifest.Version = version
	if manifest.GetFormat() == insightsv1.ExportFormat_EXPORT_FORMAT_UNSPECIFIED {
		manifest.Format = insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON
	}
	if manifest.GetFormat() != insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON {
		manifest.Columns = t.describe()
	}
	return &Archive{zip: zip.NewWriter(w), table: t, manifest: manifest, fileRows: fileRows}
}

// Add adds a row.
func (a *Archive) Add(m proto.Message) error {
	if a.file == nil {
		if err := a.begin(); err != nil {
			return err
		}
	}
	if err := a.file.add(m); err != nil {
		return err
	}
	a.manifest.Rows++
	if a.file.told.Rows++; a.file.told.GetRows() == a.fileRows {
		return a.end()
	}
	return nil
}

// Close ends the last file and writes the manifest.
func (a *Archive) Close() error {
	if a.file != nil {
		if err := a.end(); err != nil {
			return err
		}
	}
	line, err := lineOf(a.manifest)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, line, "", "  "); err != nil {
		return err
	}
	text.WriteByte('\n')
	w, err := a.create(manifestFile)
	if err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return err
	}
	return a.zip.Close()
}

func (a *Archive) begin() error {
	format := a.manifest.GetFormat()
	told := &insightsv1.ExportFile{Name: fmt.Sprintf("%s-%05d%s", a.table.file, len(a.manifest.GetFiles())+1, suffixes[format])}
	w, err := a.create(told.GetName())
	if err != nil {
		return err
	}
	a.file = &file{to: &measured{w: w, hash: sha256.New()}, told: told}
	switch format {
	case insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET:
		a.file.rows = newParquet(a.file.to, a.table)
	case insightsv1.ExportFormat_EXPORT_FORMAT_CSV:
		a.file.rows, err = newCSV(a.file.to, a.table)
	default:
		a.file.rows = lines{a.file.to}
	}
	return err
}

// create begins a file in the zip file. Parquet is compressed already.
func (a *Archive) create(name string) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.manifest.GetCreateTime().AsTime()}
	if a.manifest.GetFormat() == insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET && name != manifestFile {
		h.Method = zip.Store
	}
	return a.zip.CreateHeader(h)
}

func (a *Archive) end() error {
	if err := a.file.close(); err != nil {
		return err
	}
	told := a.file.told
	told.Bytes, told.Sha256 = a.file.to.n, hex.EncodeToString(a.file.to.hash.Sum(nil))
	a.manifest.Files = append(a.manifest.Files, told)
	a.file = nil
	return nil
}

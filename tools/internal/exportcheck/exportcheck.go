// Package exportcheck unpacks exports of insights and holds them to their manifests.
package exportcheck

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/encoding/protojson"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// ManifestFile is what an export says of itself.
const ManifestFile = "manifest.json"

// version is the newest form of exports that is understood.
const version = 1

// maxManifestBytes is more than a manifest of 10 billion rows takes.
const maxManifestBytes = 64 << 20

// Unpack unpacks the zip file of an export into a folder, which must be empty or not
// there, and checks it: every file that the manifest names is there, and no other, with
// the size, the SHA-256 and the number of rows that it says. Of an export that is not
// as it says nothing stays. Progress is told in bytes unpacked.
func Unpack(zipFile, folder string, progress io.Writer) (manifest *insightsv1.ExportManifest, err error) {
	z, err := zip.OpenReader(zipFile)
	if err != nil {
		return nil, fmt.Errorf("the export is no whole zip file: %w", err)
	}
	defer func() { _ = z.Close() }() // it was only read
	files := map[string]*zip.File{}
	for _, f := range z.File {
		if files[f.Name] != nil {
			return nil, fmt.Errorf("%q is in the export twice", f.Name)
		}
		files[f.Name] = f
	}
	manifest, err = readManifest(files[ManifestFile])
	if err != nil {
		return nil, err
	}
	if len(files) != len(manifest.GetFiles())+1 {
		return nil, fmt.Errorf("the export has %d files, its manifest names %d and itself", len(files), len(manifest.GetFiles()))
	}
	if err := Empty(folder); err != nil {
		return nil, err
	}
	told, total := manifest.GetFiles(), int64(0)
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(folder, told))
		}
	}()
	for _, f := range told {
		if files[f.GetName()] == nil {
			return nil, fmt.Errorf("%s is missing", f.GetName())
		}
		if err := unpack(files[f.GetName()], f, manifest.GetFormat(), folder, progress); err != nil {
			return nil, fmt.Errorf("%s: %w", f.GetName(), err)
		}
		total += f.GetRows()
	}
	if total != manifest.GetRows() {
		return nil, fmt.Errorf("the files have %d rows, the manifest says %d", total, manifest.GetRows())
	}
	// The manifest comes last: where there is one, all is there.
	return manifest, copyFile(files[ManifestFile], filepath.Join(folder, ManifestFile))
}

// Empty makes a folder that is not there, and refuses one that is not empty.
func Empty(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: every export needs a folder of its own", folder)
	}
	return err
}

// Manifest reads the manifest of an export that was unpacked into a folder.
func Manifest(folder string) (*insightsv1.ExportManifest, error) {
	text, err := os.ReadFile(filepath.Join(folder, ManifestFile))
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func parse(text []byte) (*insightsv1.ExportManifest, error) {
	m := &insightsv1.ExportManifest{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is no manifest: %w", ManifestFile, err)
	}
	if m.GetVersion() < 1 || m.GetVersion() > version {
		return nil, fmt.Errorf("the export is of version %d, this program reads %d", m.GetVersion(), version)
	}
	return m, nil
}

func readManifest(f *zip.File) (*insightsv1.ExportManifest, error) {
	if f == nil {
		return nil, errors.New("the export has no manifest")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(r, maxManifestBytes))
	if err != nil {
		return nil, err
	}
	m, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, file := range m.GetFiles() {
		if n := file.GetName(); n == "" || n == ManifestFile || n != filepath.Base(n) || !filepath.IsLocal(n) {
			return nil, fmt.Errorf("the manifest names a file %q", n)
		}
	}
	return m, nil
}

// unpack unpacks one file and checks it.
func unpack(f *zip.File, want *insightsv1.ExportFile, format insightsv1.ExportFormat, folder string, progress io.Writer) error {
	path := filepath.Join(folder, want.GetName())
	hash := sha256.New()
	if err := copyFile(f, path, hash, progress); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() != want.GetBytes() {
		return fmt.Errorf("has %d bytes, the manifest says %d", info.Size(), want.GetBytes())
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want.GetSha256() {
		return fmt.Errorf("has the SHA-256 %s, the manifest says %s", sum, want.GetSha256())
	}
	rows, err := countRows(path, format)
	if err != nil {
		return err
	}
	if rows != want.GetRows() {
		return fmt.Errorf("has %d rows, the manifest says %d", rows, want.GetRows())
	}
	return nil
}

// copyFile unpacks a file of a zip file, and gives what is in it to others too.
func copyFile(f *zip.File, path string, also ...io.Writer) (err error) {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()                                        // it was only read
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // whoever may read the folder's group's files may read this one
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(io.MultiWriter(append([]io.Writer{out}, also...)...), r) //nolint:gosec // as large as the export is
	return err
}

// remove removes what was unpacked.
func remove(folder string, files []*insightsv1.ExportFile) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(filepath.Join(folder, f.GetName())); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// countRows counts the rows of a file.
func countRows(path string, format insightsv1.ExportFormat) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it is only read
	switch format {
	case insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET:
		return parquetRows(f)
	case insightsv1.ExportFormat_EXPORT_FORMAT_CSV:
		return csvRows(f)
	}
	return lines(f)
}

func parquetRows(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	p, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return 0, err
	}
	return p.NumRows(), nil
}

// csvRows counts records without the header.
func csvRows(f io.Reader) (int64, error) {
	r := csv.NewReader(bufio.NewReader(f))
	r.ReuseRecord = true
	for n := int64(-1); ; n++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

func lines(f io.Reader) (int64, error) {
	buf, n := make([]byte, 64<<10), int64(0)
	for {
		k, err := f.Read(buf)
		n += int64(bytes.Count(buf[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

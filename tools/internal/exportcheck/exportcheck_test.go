package exportcheck_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rebound-hq/rebound/tools/internal/exportcheck"
)

type object = map[string]any

// told is what a manifest says of a file.
func told(name, content string, rows int) object {
	sum := sha256.Sum256([]byte(content))
	return object{"name": name, "rows": rows, "bytes": len(content), "sha256": hex.EncodeToString(sum[:])}
}

// write writes a zip file.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	first  = "{\"n\":1}\n{\"n\":2}\n"
	second = "{\"n\":3}\n"
	table  = "name,n\r\nx,1\r\n\"y\r\nz\",2\r\n"
)

// TestUnpack: what is as its manifest says is unpacked; what is not, in any way, is
// refused, and nothing of it stays.
func TestUnpack(t *testing.T) {
	good := object{"version": 1, "format": "EXPORT_FORMAT_NDJSON", "rows": 3, "lastToken": "abc", "files": []object{told("a.ndjson", first, 2), told("b.ndjson", second, 1)}}
	with := func(key string, value any) object {
		m := maps.Clone(good)
		m[key] = value
		return m
	}
	files := map[string]string{"a.ndjson": first, "b.ndjson": second}
	for name, row := range map[string]struct {
		manifest object
		files    map[string]string
		want     string // "" when it is good
	}{
		"good":        {good, files, ""},
		"csv":         {object{"version": 1, "format": "EXPORT_FORMAT_CSV", "rows": 2, "files": []object{told("a.csv", table, 2)}}, map[string]string{"a.csv": table}, ""},
		"nothing":     {object{"version": 1}, nil, ""},
		"newer field": {with("more", 1), files, ""},
		"version":     {with("version", 2), files, "version 2"},
		"no manifest": {nil, files, "no manifest"},
		"rows in all": {with("rows", 4), files, "the files have 3 rows, the manifest says 4"},
		"missing":     {good, map[string]string{"a.ndjson": first}, "has 2 files"},
		"renamed":     {good, map[string]string{"a.ndjson": first, "c.ndjson": second}, "b.ndjson is missing"},
		"one more":    {good, map[string]string{"a.ndjson": first, "b.ndjson": second, "c": ""}, "has 4 files"},
		"altered":     {good, map[string]string{"a.ndjson": first, "b.ndjson": "{\"n\":4}\n"}, "b.ndjson: has the SHA-256"},
		"cut":         {good, map[string]string{"a.ndjson": first, "b.ndjson": "{\"n\":3}"}, "b.ndjson: has 7 bytes, the manifest says 8"},
		"rows":        {with("files", []object{told("a.ndjson", first, 1), told("b.ndjson", second, 2)}), files, "a.ndjson: has 2 rows, the manifest says 1"},
		"csv rows":    {object{"version": 1, "format": "EXPORT_FORMAT_CSV", "rows": 3, "files": []object{told("a.csv", table, 3)}}, map[string]string{"a.csv": table}, "has 2 rows"},
		"no parquet":  {object{"version": 1, "format": "EXPORT_FORMAT_PARQUET", "rows": 3, "files": []object{told("a.parquet", first, 3)}}, map[string]string{"a.parquet": first}, "a.parquet"},
		"elsewhere":   {object{"version": 1, "rows": 2, "files": []object{told("../a.ndjson", first, 2)}}, map[string]string{"../a.ndjson": first}, "names a file"},
	} {
		all := maps.Clone(row.files)
		if all == nil {
			all = map[string]string{}
		}
		if row.manifest != nil {
			text, err := json.Marshal(row.manifest)
			if err != nil {
				t.Fatal(err)
			}
			all[exportcheck.ManifestFile] = string(text)
		}
		folder := filepath.Join(t.TempDir(), "out")
		m, err := exportcheck.Unpack(write(t, all), folder, io.Discard)
		left, _ := os.ReadDir(folder)
		switch {
		case row.want == "":
			if err != nil || len(left) != len(all) {
				t.Errorf("%s: %v, %d files", name, err, len(left))
				continue
			}
			again, err := exportcheck.Manifest(folder)
			if err != nil || again.GetLastToken() != m.GetLastToken() {
				t.Errorf("%s: %v, %v", name, again, err)
			}
		case err == nil || !strings.Contains(err.Error(), row.want) || len(left) != 0:
			t.Errorf("%s: %v, %d files stay; want %q", name, err, len(left), row.want)
		}
	}
}

// TestUnpackElsewhere: a folder with something in it is left alone, and a file that
// broke off is no export.
func TestUnpackElsewhere(t *testing.T) {
	path := write(t, map[string]string{exportcheck.ManifestFile: `{"version":1}`})
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exportcheck.Unpack(path, folder, io.Discard); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exportcheck.Unpack(path, t.TempDir(), io.Discard); err == nil || !strings.Contains(err.Error(), "no whole zip file") {
		t.Error(err)
	}
	if _, err := exportcheck.Manifest(folder); err == nil {
		t.Error("a folder without a manifest has one")
	}
}

package operation

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// file is a file of an archive.
type file struct{ name, text string }

func pack(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		h, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const times = `"createTime":"2020-01-01T00:00:00Z","updateTime":"2020-01-01T00:00:00Z"`

func entry(id string, more ...string) string {
	return `{"name":"setbacks/` + id + `",` + times + `,"title":"x"` + strings.Join(more, "") + "}\n"
}

func contents(kind string, n int) file {
	return file{manifestFile, fmt.Sprintf(`{"format":"rebound-export","version":1,"kinds":[{"kind":%q,"file":"%s.ndjson","entries":%d}]}`, kind, kind, n)}
}

func setbackFile(lines ...string) file { return file{"setbacks.ndjson", strings.Join(lines, "")} }

// TestHostileArchives: whatever is wrong with an archive is told by its reason, and
// nothing of it is brought in.
func TestHostileArchives(t *testing.T) {
	limits := DefaultLimits()
	limits.Entries, limits.Files, limits.LineBytes, limits.UnpackedBytes, limits.ManifestBytes, limits.ArchiveBytes = 4, 4, 1000, 3000, 500, 1<<20
	r := newRig(t, limits)
	good := pack(t, contents("setbacks", 1), setbackFile(entry("a")))
	damaged := bytes.Clone(good)
	at := bytes.Index(damaged, []byte("setbacks.ndjson")) + len("setbacks.ndjson") + 4
	damaged[at] ^= 0xff
	lying := bytes.Clone(good)
	binary.LittleEndian.PutUint32(lying[len(lying)-6:], 0) // the list is said to begin at the beginning
	padded := func(n int) string {
		return `,"account":"` + strings.Repeat("x", n-len(entry("a"))-len(`,"account":""`)+1) + `"`
	}
	for name, c := range map[string]struct {
		archive []byte
		reason  string
	}{
		"nothing at all":           {[]byte("x"), "ARCHIVE_INVALID"},
		"no zip file":              {bytes.Repeat([]byte("x"), 1000), "ARCHIVE_INVALID"},
		"cut off":                  {good[:len(good)-1], "ARCHIVE_INVALID"},
		"only its end":             {good[len(good)/2:], "ARCHIVE_INVALID"},
		"something after its end":  {append(bytes.Clone(good), 0), "ARCHIVE_INVALID"},
		"a lying list of files":    {lying, "ARCHIVE_INVALID"},
		"damaged":                  {damaged, "ARCHIVE_INVALID"},
		"no manifest":              {pack(t, setbackFile(entry("a"))), "ARCHIVE_INVALID"},
		"another manifest":         {pack(t, file{manifestFile, `{"version":1}`}), "ARCHIVE_INVALID"},
		"a large manifest":         {pack(t, file{manifestFile, contents("setbacks", 0).text + strings.Repeat(" ", 500)}), "ARCHIVE_INVALID"},
		"a later version":          {pack(t, file{manifestFile, `{"format":"rebound-export","version":2}`}), "ARCHIVE_VERSION"},
		"a file too many":          {pack(t, contents("setbacks", 1), setbackFile(entry("a")), file{"../../etc/passwd", "x"}), "ARCHIVE_INVALID"},
		"a file twice":             {pack(t, contents("setbacks", 1), setbackFile(entry("a")), setbackFile(entry("b"))), "ARCHIVE_INVALID"},
		"a file not named":         {pack(t, contents("setbacks", 1), setbackFile(entry("a")), file{"lessons.ndjson", ""}), "ARCHIVE_INVALID"},
		"a file missing":           {pack(t, contents("setbacks", 1)), "ARCHIVE_INVALID"},
		"too many files":           {pack(t, contents("setbacks", 1), setbackFile(entry("a")), file{"journal/2001.md", ""}, file{"journal/2002.md", ""}, file{"journal/2003.md", ""}), "ARCHIVE_INVALID"},
		"too many entries":         {pack(t, contents("setbacks", 5), setbackFile(entry("a"), entry("b"), entry("c"), entry("d"), entry("e"))), "ARCHIVE_INVALID"},
		"more entries than said":   {pack(t, contents("setbacks", 1), setbackFile(entry("a"), entry("b"))), "ARCHIVE_INVALID"},
		"fewer entries than said":  {pack(t, contents("setbacks", 2), setbackFile(entry("a"))), "ARCHIVE_INVALID"},
		"less than none":           {pack(t, contents("setbacks", -1), setbackFile()), "ARCHIVE_INVALID"},
		"an unknown kind":          {pack(t, contents("secrets", 1), file{"secrets.ndjson", "{}\n"}), "ARCHIVE_INVALID"},
		"a kind that stays":        {pack(t, contents("affiliation", 1), file{"affiliation.ndjson", `{"name":"affiliation",` + times + "}\n"}), "ARCHIVE_INVALID"},
		"an entry twice":           {pack(t, contents("setbacks", 2), setbackFile(entry("a"), entry("a"))), "ARCHIVE_INVALID"},
		"entries out of order":     {pack(t, contents("setbacks", 2), setbackFile(entry("b"), entry("a"))), "ARCHIVE_INVALID"},
		"no JSON":                  {pack(t, contents("setbacks", 1), setbackFile("secret words\n")), "ARCHIVE_INVALID"},
		"an unknown field":         {pack(t, contents("setbacks", 2), setbackFile(entry("a"), entry("b", `,"surprise":"secret words"`))), "ARCHIVE_INVALID"},
		"an entry of somebody":     {pack(t, contents("setbacks", 1), setbackFile(strings.Replace(entry("a"), "setbacks/a", "tenants/acme/people/ada/setbacks/a", 1))), "ARCHIVE_INVALID"},
		"a way out":                {pack(t, contents("setbacks", 1), setbackFile(strings.Replace(entry("a"), "setbacks/a", "../ada/setbacks/a", 1))), "ARCHIVE_INVALID"},
		"a rule broken":            {pack(t, contents("setbacks", 2), setbackFile(entry("a"), entry("b", `,"intensity":11`))), "ARCHIVE_INVALID"},
		"a long line":              {pack(t, contents("setbacks", 1), setbackFile(entry("a", padded(1001)))), "ARCHIVE_INVALID"},
		"much when it is unpacked": {pack(t, contents("setbacks", 4), setbackFile(entry("a", padded(999)), entry("b", padded(999)), entry("c", padded(999)), entry("d", padded(999)))), "ARCHIVE_INVALID"},
	} {
		op, err := r.send(grace, c.archive)
		var reason, message string
		if f, ok := fault.As(err); ok {
			reason, message = f.Reason, f.Message
		} else if err == nil {
			op = r.run(op)
			reason, message = op.GetFailure().GetReason(), op.GetFailure().GetMessage()
			if _, err := r.DeleteOperation(t.Context(), deletion(op)); err != nil {
				t.Error(err)
			}
		}
		if reason != c.reason || strings.Contains(message, "secret words") {
			t.Errorf("%s: %s, %s, %v", name, reason, message, err)
		}
		if n := r.kept(grace); n != 0 {
			t.Errorf("%s: %d chunks are left", name, n)
		}
		if docs, err := r.d.Setbacks.All(t.Context(), grace); err != nil || len(docs) != 0 {
			t.Fatalf("%s: %d entries were brought in: %v", name, len(docs), err)
		}
	}
}

// TestArchiveLimits: what is just within the limits is brought in.
func TestArchiveLimits(t *testing.T) {
	limits := DefaultLimits()
	lines := []string{entry("a"), entry("b"), entry("c"), entry("d", `,"account":"`+strings.Repeat("x", 500)+`"`)}
	limits.Entries, limits.Files, limits.LineBytes, limits.UnpackedBytes = 4, 4, len(lines[3]), int64(len(strings.Join(lines, "")))
	m := contents("setbacks", 4)
	limits.ManifestBytes = int64(len(m.text))
	archive := pack(t, m, setbackFile(lines...), file{"journal/2001.md", "x"}, file{"journal/2002.md", "y"})
	limits.ArchiveBytes = int64(len(archive))
	r := newRig(t, limits)
	op, err := r.send(grace, archive)
	if err != nil {
		t.Fatal(err)
	}
	if op = r.run(op); op.GetState() != succeeded || op.GetCounts()[0].GetCreated() != 4 {
		t.Errorf("%v", op)
	}
	_, err = r.send(grace, append(archive, 0))
	if f, ok := fault.As(err); !ok || f.Reason != "ARCHIVE_TOO_LARGE" {
		t.Error(err)
	}
}

// TestRefusedEntries: an entry that breaks a rule of the domain is left out by name;
// the others are brought in.
func TestRefusedEntries(t *testing.T) {
	r := newRig(t, DefaultLimits())
	op, err := r.send(grace, pack(t, contents("setbacks", 2), setbackFile(entry("a", `,"occurredOn":{"year":2990,"month":1,"day":1}`), entry("b"))))
	if err != nil {
		t.Fatal(err)
	}
	op = r.run(op)
	c := op.GetCounts()[0]
	if op.GetState() != succeeded || c.GetCreated() != 1 || c.GetRefused() != 1 || len(op.GetIssues()) != 1 ||
		op.GetIssues()[0].GetEntry() != "setbacks/a" || op.GetIssues()[0].GetReason() != "DATE_IN_FUTURE" {
		t.Errorf("%v", op)
	}
}

// FuzzArchive: whatever is sent as an archive is refused or fails as its sender's
// mistake; nothing panics.
func FuzzArchive(f *testing.F) {
	f.Add(pack(f, contents("setbacks", 1), setbackFile(entry("a"))))
	f.Add([]byte("PK\x05\x06"))
	limits := DefaultLimits()
	limits.UnpackedBytes, limits.LineBytes = 1<<20, 1<<16
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openArchive(memory(t, data), limits)
		if err == nil {
			for _, k := range a.Kinds {
				for _, err = range a.records(k) {
					if err != nil {
						break
					}
				}
			}
		}
		if fa, ok := fault.As(err); err != nil && (!ok || len(fa.Violations) == 0) {
			t.Errorf("%v", err)
		}
	})
}

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the repository.
const root = "../.."

// TestReadmeJourney runs the README's walk through the journey as it is written,
// but for the address.
func TestReadmeJourney(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the README's commands need it", program)
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- journey -->\n```sh\n")
	script, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the README has no journey")
	}
	r := newRig(t)
	dir := filepath.Dir(r.data)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program(t, "rebound"), filepath.Join(dir, "bin", "rebound")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.data, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", strings.ReplaceAll(script, "127.0.0.1:8080", r.at.HTTP))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"SETBACK_RECOVERED", "STEP_MOMENTUM", `"recoveredSetbacks":1`, `"stepsCompletedLast7":1`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the journey does not show %s:\n%s", want, out)
		}
	}
}

// TestLinks: what the documentation links to is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob(filepath.Join(root, "docs", "adr", "*.md"))
	if err != nil || len(pages) == 0 || len(decisions) == 0 {
		t.Fatalf("%d pages, %d decisions: %v", len(pages), len(decisions), err)
	}
	for _, page := range slices.Concat([]string{filepath.Join(root, "README.md")}, pages, decisions) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}

// TestReasons: every reason of an error that the code gives is in the API guide,
// and every one of the guide is in the code.
func TestReasons(t *testing.T) {
	given := regexp.MustCompile(`fault\.(?:Invalid|Precondition|Denied|Unauthenticated)\((?:[^",]*|"[a-z_.]*"), ?"([A-Z_]+)"|fault\.(?:Precondition|Denied|Unauthenticated)\("([A-Z_]+)"|Reason: +"([A-Z_]+)"|codes\.[A-Za-z]+, "([A-Z_]+)"`)
	reasons := map[string]bool{"REQUIRED": true, "UNAVAILABLE": true}
	var source strings.Builder
	for _, dir := range []string{"services", "gateway"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			for _, m := range given.FindAllStringSubmatch(string(text), -1) {
				reasons[strings.Join(m[1:], "")] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	guide, err := os.ReadFile(filepath.Join(root, "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(guide), "| HTTP | reasons |")
	if !found || len(reasons) < 50 {
		t.Fatalf("%d reasons in the code; the guide has a table: %v", len(reasons), found)
	}
	for reason := range reasons {
		// INTERNAL is nobody's to expect, CANCELLED nobody's to read.
		if !strings.Contains(table, "`"+reason+"`") && !slices.Contains([]string{"REQUIRED", "INTERNAL", "CANCELLED"}, reason) {
			t.Errorf("the API guide does not tell of %s", reason)
		}
	}
	for _, m := range regexp.MustCompile("`([A-Z]+(?:_[A-Z]+)*)`").FindAllStringSubmatch(table, -1) {
		if !strings.Contains(source.String(), `"`+m[1]+`"`) && m[1] != "FAILED_PRECONDITION" {
			t.Errorf("the API guide tells of %s, which the code does not give", m[1])
		}
	}
}

// TestSettings: every flag that the operation page names is one of a program's.
func TestSettings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	var help strings.Builder
	for _, args := range [][]string{{"journald"}, {"insightsd"}, {"gatewayd"}, {"rebound", "up"}} {
		out, err := exec.Command(program(t, args[0]), append(args[1:], "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		help.Write(out)
	}
	names := regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(string(text), -1)
	if len(names) < 10 {
		t.Fatalf("the page names %d flags", len(names))
	}
	for _, name := range names {
		if !strings.Contains(help.String(), name) && name != "--help" {
			t.Errorf("no program has the flag %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`REBOUND_[A-Z_]+[A-Z]`).FindAllString(string(text), -1) {
		if !strings.Contains(help.String(), "$"+name) {
			t.Errorf("no program reads %s", name)
		}
	}
}

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programsDir is where the programs of this run are; "" until they are built.
var programsDir string

// built builds all programs at once: linking takes most of it, and most tests that
// run one need the same.
var built = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "rebound-e2e-")
	if err != nil {
		return err
	}
	programsDir = dir
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../cmd/rebound", "../../services/journal/cmd/journald",
		"../../services/goals/cmd/goalsd", "../../services/insights/cmd/insightsd", "../../gateway/cmd/gatewayd").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// program gives the path of one of Rebound's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(programsDir, name)
}

// removePrograms removes what program has built.
func removePrograms() { _ = os.RemoveAll(programsDir) } // of a temporary folder, should it stay

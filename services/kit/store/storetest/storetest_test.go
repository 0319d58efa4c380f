package storetest

import (
	"os"
	"regexp"
	"testing"
)

// TestEverySentenceHasACase holds the contract against the suite.
func TestEverySentenceHasACase(t *testing.T) {
	contract, err := os.ReadFile("../store.go")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range cases() {
		if have[c.id] {
			t.Errorf("two cases are called %s", c.id)
		}
		have[c.id] = true
	}
	ids := regexp.MustCompile(`\[([a-z]+(?:-[a-z]+)+)\]`).FindAllStringSubmatch(string(contract), -1)
	if len(ids) < 30 {
		t.Fatalf("only %d ids found in the contract", len(ids))
	}
	for _, id := range ids {
		if !have[id[1]] {
			t.Errorf("no case for [%s]", id[1])
		}
	}
}

package keys_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rebound-hq/rebound/services/kit/keys"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	a, err := keys.OpenOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := keys.Create(path); err == nil {
		t.Fatal("Create wrote over a key file")
	}
	b, err := keys.OpenOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	kek := func(s *keys.Set, tenant string) interface {
		Encrypt(p, a []byte) ([]byte, error)
		Decrypt(c, a []byte) ([]byte, error)
	} {
		k, err := s.KEK(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sealed, err := kek(a, "acme").Encrypt([]byte("data key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := kek(b, "acme").Decrypt(sealed, nil); err != nil || string(plain) != "data key" {
		t.Fatalf("%q, %v", plain, err)
	}
	if _, err := kek(b, "other").Decrypt(sealed, nil); err == nil {
		t.Fatal("another tenant's key opens it")
	}
}

func TestPseudonyms(t *testing.T) {
	a, err := keys.OpenOrCreate(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, who := range [][2]string{{"acme", "ada"}, {"acme", "grace"}, {"acm", "eada"}, {"other", "ada"}} {
		p, err := a.Pseudonym(who[0], who[1])
		if err != nil || !regexp.MustCompile(`^p-[a-z2-7]{26}$`).MatchString(p) || seen[p] {
			t.Fatalf("%v: %q, %v", who, p, err)
		}
		seen[p] = true
		if again, _ := a.Pseudonym(who[0], who[1]); again != p {
			t.Fatal("a pseudonym changed")
		}
	}
}

func TestBrokenKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"kek":{},"tokens":{},"pseudonyms":{}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.OpenOrCreate(path); err == nil {
			t.Errorf("%q was opened", text)
		}
	}
}

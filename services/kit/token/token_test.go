package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/token"
)

func sealer(t testing.TB) *token.Sealer {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return token.New(a)
}

func TestSealAndOpen(t *testing.T) {
	s := sealer(t)
	want := &storagev1.ResumeToken{Store: "s", Positions: []int64{1, 2, 3}}
	text, err := s.Seal("resume", want)
	if err != nil {
		t.Fatal(err)
	}
	var got storagev1.ResumeToken
	if err := s.Open("resume", text, &got); err != nil || !proto.Equal(&got, want) {
		t.Fatalf("%v, %v", &got, err)
	}
	altered := []byte(text)
	altered[len(altered)/2] ^= 1
	for name, bad := range map[string]string{
		"altered": string(altered), "cut": text[:len(text)-2], "longer": text + "AA", "empty": "", "garbage": "x",
		"too long": strings.Repeat("A", token.MaxBytes+1), "not base64": "%%%",
	} {
		if err := s.Open("resume", bad, &got); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Open("page", text, &got); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another purpose: %v", err)
	}
	if err := sealer(t).Open("resume", text, &got); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another key: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f)
	good, err := s.Seal("resume", &storagev1.ResumeToken{Store: "s"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		var m storagev1.ResumeToken
		if err := s.Open("resume", text, &m); err != nil && !errors.Is(err, token.ErrInvalid) {
			t.Fatal(err)
		}
	})
}

package calendar

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const link = ada + "/calendarLink"

func (r *rig) replace(req *journalv1.ReplaceCalendarLinkRequest) *journalv1.ReplaceCalendarLinkResponse {
	r.t.Helper()
	req.Name = link
	res, err := r.s.ReplaceCalendarLink(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// read gives the summary of the one entry behind a secret; "" when it leads
// nowhere.
func (r *rig) read(secret string) string {
	r.t.Helper()
	body, err := r.s.GetLinkedCalendar(r.t.Context(), &journalv1.GetLinkedCalendarRequest{Secret: secret})
	if errors.Is(err, errNoLink) {
		return ""
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.SplitN(lines(parse(r.t, body.GetData()))[0], " ", 3)[2]
}

// TestLinkLife: made, shown with and without titles, replaced, revoked, made again.
func TestLinkLife(t *testing.T) {
	r := newRig(t)
	r.lesson("l", "Test earlier", "", day(2026, 12, 1))
	none, err := r.s.Links.Fetch(t.Context(), link)
	if err != nil || none.GetIssueTime() != nil || none.GetFingerprint() != "" {
		t.Fatalf("%v, %v", none, err)
	}
	first := r.replace(&journalv1.ReplaceCalendarLinkRequest{})
	if first.GetPath() != "/v1/calendars/"+first.GetSecret()+"/calendar.ics" || !first.GetCalendarLink().GetIssueTime().AsTime().Equal(resourcetest.Start) {
		t.Errorf("%v", first)
	}
	if got := r.read(first.GetSecret()); got != "Lesson review" {
		t.Errorf("the link shows %q", got)
	}
	shown, err := r.s.Links.Update(t.Context(), &journalv1.UpdateCalendarLinkRequest{CalendarLink: &journalv1.CalendarLink{
		Name: link, IncludeTitles: true, Fingerprint: "made up",
	}})
	if err != nil || shown.(*journalv1.CalendarLink).GetFingerprint() != first.GetCalendarLink().GetFingerprint() {
		t.Fatalf("%v, %v", shown, err)
	}
	if got := r.read(first.GetSecret()); got != "Lesson review: Test earlier" {
		t.Errorf("with titles the link shows %q", got)
	}
	second := r.replace(&journalv1.ReplaceCalendarLinkRequest{})
	if !second.GetCalendarLink().GetIncludeTitles() || second.GetCalendarLink().GetFingerprint() == first.GetCalendarLink().GetFingerprint() {
		t.Errorf("%v", second)
	}
	third := r.replace(&journalv1.ReplaceCalendarLinkRequest{IncludeTitles: proto.Bool(false)})
	for secret, want := range map[string]string{first.GetSecret(): "", second.GetSecret(): "", third.GetSecret(): "Lesson review"} {
		if got := r.read(secret); got != want {
			t.Errorf("after replacing, a link shows %q, want %q", got, want)
		}
	}
	_, err = r.s.RevokeCalendarLink(t.Context(), &journalv1.RevokeCalendarLinkRequest{Name: link, Etag: "stale"})
	resourcetest.Refused(t, err, "ETAG_MISMATCH")
	for range 2 { // the second changes nothing
		revoked, err := r.s.RevokeCalendarLink(t.Context(), &journalv1.RevokeCalendarLinkRequest{Name: link})
		if err != nil || revoked.GetIssueTime() != nil || revoked.GetFingerprint() != "" {
			t.Fatalf("%v, %v", revoked, err)
		}
	}
	if got := r.read(third.GetSecret()); got != "" {
		t.Errorf("after revoking, the link shows %q", got)
	}
	if got := r.read(r.replace(&journalv1.ReplaceCalendarLinkRequest{}).GetSecret()); got != "Lesson review" {
		t.Errorf("made again, the link shows %q", got)
	}
	if events := r.Events(t, ada); len(events) != 1 { // the lesson's
		t.Errorf("links are told of: %v", events)
	}
}

// TestSecrets: what is no secret of a link leads nowhere, and all of it in the
// same way.
func TestSecrets(t *testing.T) {
	r := newRig(t)
	r.lesson("l", "x", "", day(2026, 12, 1))
	secret := r.replace(&journalv1.ReplaceCalendarLinkRequest{}).GetSecret()
	sealed := func(use string, c *storagev1.CalendarSecret) string {
		text, err := r.Deps.Tokens.Seal(use, c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var inside storagev1.CalendarSecret
	if err := r.Deps.Tokens.Open(secretUse, secret, &inside); err != nil || inside.GetPerson() != ada {
		t.Fatalf("%v, %v", &inside, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || strings.Contains(string(raw), inside.GetId()) || strings.Contains(string(raw), "ada") {
		t.Fatalf("the secret is not sealed: %v", err)
	}
	altered := []byte(secret)
	altered[len(altered)/2] ^= 1
	const other = "tenants/other/people/ada"
	for what, text := range map[string]string{
		"nothing": "", "short": "x", "no base64": "!!!", "long": strings.Repeat("A", 5000), "altered": string(altered), "cut": secret[:len(secret)-4],
		"another purpose": sealed("page", &inside), "another id": sealed(secretUse, &storagev1.CalendarSecret{Person: ada, Id: "made-up"}),
		"no id": sealed(secretUse, &storagev1.CalendarSecret{Person: ada}), "another tenant": sealed(secretUse, &storagev1.CalendarSecret{Person: other, Id: inside.GetId()}),
		"another person": sealed(secretUse, &storagev1.CalendarSecret{Person: "tenants/acme/people/grace", Id: inside.GetId()}),
	} {
		if got := r.read(text); got != "" {
			t.Errorf("%s: it shows %q", what, got)
		}
	}
	if r.read(secret) == "" {
		t.Error("the link itself leads nowhere")
	}
	// A tenant that is served here no more.
	r.s.parts.Tenants = []string{"other"}
	if r.read(secret) != "" {
		t.Error("a link leads to a tenant that is not served here")
	}
}

package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
	"github.com/rebound-hq/rebound/tools/internal/system"
)

// TestSeparateServices runs the four programs as production does, each on its
// own, with mutual TLS between them and tokens from files.
func TestSeparateServices(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs four programs; the whole suite does it")
	}
	dir := t.TempDir()
	issuer, err := auth.OpenIssuer(dir, clock.System)
	if err != nil {
		t.Fatal(err)
	}
	serviceToken, err := issuer.Mint(auth.Claims{Subject: "insights", Roles: []string{"service"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	tokenFile := filepath.Join(dir, "service-token")
	if err := os.WriteFile(tokenFile, []byte(serviceToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tlsFlags := certificates(t, dir)
	settings := func(name string) []string {
		args := append([]string{
			"--listen", "127.0.0.1:0", "--keys-file", filepath.Join(dir, "keys.json"),
			"--auth-issuer", auth.DevIssuer, "--auth-jwks-file", issuer.JWKSFile(), "--auth-tenants", "acme",
		}, tlsFlags...)
		if uri := os.Getenv("MONGODB_URI"); uri != "" {
			return append(args, "--store-driver", "mongo", "--store-uri", uri, "--store-database", mongotest.Database(t))
		}
		return append(args, "--store-path", filepath.Join(dir, name+".db"))
	}
	goalsAt := freeAddress(t)
	journalArgs := append(settings("journal"), "--source-goals", goalsAt, "--source-token-file", tokenFile)
	journal := startDaemon(t, "journald", journalArgs...)
	r := &rig{t: t, system: &system.System{Issuer: issuer}}
	wholeOrNone(t, r, journal, dir)
	goals := startDaemon(t, "goalsd", append(settings("goals"), "--listen", goalsAt, "--source-journal", journal, "--source-token-file", tokenFile)...)
	insights := startDaemon(t, "insightsd", append(settings("insights"),
		"--source-journal", journal, "--source-goals", goals, "--source-token-file", tokenFile)...)
	edge := startDaemon(t, "gatewayd", append([]string{
		"--listen", "127.0.0.1:0", "--journal", journal, "--goals", goals, "--insights", insights,
	}, tlsFlags...)...)

	r.at = system.Addresses{HTTP: edge}
	c := r.as("acme", "ada", "person")
	lines, closeStream := c.follow(ada + "/insights:stream")
	getUpAgain(c)
	if got, _ := collect(t, lines, 1); got[0].kind != "INSIGHT_KIND_STEP_MOMENTUM" {
		t.Errorf("the stream says %v", kinds(got))
	}
	if os.Getenv("MONGODB_URI") != "" {
		// Another instance on the same database: what it commits reaches insights
		// through the first one's stream.
		recoverAt(t, r, startDaemon(t, "journald", journalArgs...), dir)
		if got, _ := collect(t, lines, 1); got[0].kind != "INSIGHT_KIND_SETBACK_RECOVERED" {
			t.Errorf("the stream says %v", kinds(got))
		}
	}
	closeStream()
	c.must("POST", ada+"/goals/g1/steps", `{"title":"Write another test","dueDate":{"year":2026,"month":12,"day":24}}`)
	eventually(t, []string{"200 true"}, func() []string { // the journal has found the goals service once that is there
		a := c.do("GET", ada+"/calendar.ics", "")
		return []string{fmt.Sprint(a.status, " ", strings.Contains(a.raw, "SUMMARY:Step: Write another test"))}
	})
	// A tenant that is not served here.
	r.as("other", "ada", "person").refused("GET", "/v1/tenants/other/people/ada/setbacks", "", 401, "TENANT_UNKNOWN")
	// Without a certificate nobody gets a word out of a service.
	res, err := http.Get("http://" + journal + "/")
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		if text, _ := io.ReadAll(res.Body); strings.Contains(string(text), "setback") {
			t.Error("the journal answers without TLS")
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// freeAddress gives an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

// dialJournal connects to one instance of the journal as another service does.
func dialJournal(t *testing.T, target, dir string) *grpc.ClientConn {
	t.Helper()
	files := service.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: filepath.Join(dir, "ca.pem")}
	tlsConfig, err := files.Client()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.Dial(target, rpc.DialOptions{Limits: rpc.DefaultLimits(), TLS: tlsConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// wholeOrNone asks for a calendar while the goals service is away: there is none,
// rather than one without steps.
func wholeOrNone(t *testing.T, r *rig, journal, dir string) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	_, err := journalv1.NewCalendarServiceClient(dialJournal(t, journal, dir)).GetCalendar(ctx, &journalv1.GetCalendarRequest{Parent: "tenants/acme/people/ada"})
	if status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "dial") {
		t.Errorf("a calendar without steps: %v", err)
	}
}

// recoverAt recovers from the journey's setback at one instance of the journal.
func recoverAt(t *testing.T, r *rig, target, dir string) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	s, err := journalv1.NewSetbackServiceClient(dialJournal(t, target, dir)).RecoverSetback(ctx, &journalv1.RecoverSetbackRequest{Name: "tenants/acme/people/ada/setbacks/launch"})
	if err != nil || s.GetRecoveredOn() == nil {
		t.Fatal(s, err)
	}
}

// startDaemon starts a program and gives the address it says it serves on. When
// the test ends it is told to stop, and has to do so well.
func startDaemon(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd, address := startProgram(t, name, args...)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s did not stop well: %v", name, err)
		}
	})
	return address
}

// startProgram starts a program, which the caller ends, and gives the address it says
// it serves on.
func startProgram(t *testing.T, name string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	scanner := bufio.NewScanner(logs)
	for scanner.Scan() {
		said.WriteString(scanner.Text() + "\n")
		var line struct{ Msg, Address string }
		if json.Unmarshal(scanner.Bytes(), &line) == nil && line.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, logs) }() // so that it never blocks on a full pipe
			return cmd, line.Address
		}
	}
	_ = cmd.Wait() // it has ended
	t.Fatalf("%s did not start:\n%s", name, said.String())
	return nil, ""
}

// certificates makes an authority and one certificate for 127.0.0.1, and gives
// the flags that name them.
func certificates(t *testing.T, dir string) []string {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sign := func(cert, parent *x509.Certificate, of, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, &of.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test service"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	authorityKey, leafKey := newKey(), newKey()
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"--tls-ca-file", write("ca.pem", "CERTIFICATE", sign(authority, authority, authorityKey, authorityKey)),
		"--tls-cert-file", write("cert.pem", "CERTIFICATE", sign(leaf, authority, leafKey, authorityKey)),
		"--tls-key-file", write("key.pem", "PRIVATE KEY", keyDER),
	}
}

// TestConfigurationMistakes: a program that is set up wrongly says what is wrong
// and does not start.
func TestConfigurationMistakes(t *testing.T) {
	dir := t.TempDir()
	issuer, err := auth.OpenIssuer(dir, clock.System)
	if err != nil {
		t.Fatal(err)
	}
	keys, path := filepath.Join(dir, "keys.json"), filepath.Join(dir, "journal.db")
	for _, c := range []struct {
		name, want string
		args, env  []string
	}{
		{"unknown flag", "--stor-path", []string{"--keys-file", keys, "--stor-path", path}, nil},
		{"unknown variable", "REBOUND_STOR_PATH", []string{"--keys-file", keys}, []string{"REBOUND_STOR_PATH=x"}},
		{"no keys", "--keys-file", nil, nil},
		{"no path", "store-path is needed", []string{"--keys-file", keys}, nil},
		{"no database", "store-database are needed", []string{"--keys-file", keys, "--store-driver", "mongo", "--store-uri", "mongodb://127.0.0.1:1/"}, nil},
		{"unknown driver", "store-driver", []string{"--keys-file", keys, "--store-driver", "paper"}, nil},
		{"half of TLS", "go together", []string{"--keys-file", keys, "--store-path", path, "--auth-issuer", auth.DevIssuer, "--auth-jwks-file", issuer.JWKSFile(), "--tls-cert-file", keys}, nil},
		{"no issuer", "issuer", []string{"--keys-file", keys, "--store-path", path}, nil},
		{"no service token", "source-token-file is required", []string{"--keys-file", keys, "--store-path", path}, nil},
	} {
		args := append([]string{"--listen", "127.0.0.1:0"}, c.args...)
		if c.name != "no service token" {
			args = append(args, "--source-token-file", keys)
		}
		cmd := exec.Command(program(t, "journald"), args...)
		cmd.Env = append(os.Environ(), c.env...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, does not say %q:\n%s", c.name, err, c.want, out)
		}
		if strings.Contains(string(out), "goroutine ") {
			t.Errorf("%s: it panics:\n%s", c.name, out)
		}
	}
}

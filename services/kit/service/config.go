// Package service is the skeleton that every service of Rebound has: settings,
// store, keys, identity, gRPC server, event stream, and an orderly end. What is
// a service's own comes in as a Definition.
package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/telemetry"
)

// Config is the settings that all services share.
type Config struct {
	Listen    string           `default:"127.0.0.1:9000" help:"Address to serve gRPC on, as host:port; port 0 picks a free one."`
	Admin     string           `default:"" help:"Address to serve /metrics, /healthz and /readyz on. Default: none."`
	KeysFile  string           `required:"" type:"path" help:"The deployment's key file; made when there is none. Share it between all services and keep it secret."`
	Store     Store            `embed:"" prefix:"store-"`
	Auth      Auth             `embed:"" prefix:"auth-"`
	TLS       TLS              `embed:"" prefix:"tls-"`
	Telemetry telemetry.Config `embed:"" prefix:"telemetry-"`
	Limit     Limits           `embed:"" prefix:"limit-"`
}

// Store is where documents and events lie.
type Store struct {
	Driver     string        `default:"sqlite" enum:"sqlite,mongo" help:"What to keep documents in: sqlite or mongo."`
	Path       string        `type:"path" help:"For sqlite: the file."`
	URI        config.Secret `name:"uri" help:"For mongo: the server's URI, with the driver's options in its query."`
	Database   string        `help:"For mongo: the database, which belongs to this service alone."`
	Partitions int           `default:"16" help:"Partitions of a new store's event log, 1 to 1024; fixed once it is made."`
}

// Auth is whose tokens are good.
type Auth struct {
	Issuer      string   `help:"The issuer of tokens: its URL, as in their iss claim."`
	Audience    string   `default:"rebound" help:"The audience that tokens must name."`
	JWKSFile    string   `name:"jwks-file" type:"path" help:"File with the issuer's public keys. Default: found by OIDC discovery."`
	JWKSURL     string   `name:"jwks-url" help:"Address of the issuer's public keys. Default: found by OIDC discovery."`
	TenantClaim string   `default:"tenant" help:"Claim that names the tenant."`
	PersonClaim string   `default:"person" help:"Claim that names the person."`
	RolesClaim  string   `default:"roles" help:"Claim that lists the roles: person, coach, analyst, pipeline, admin, service."`
	Tenants     []string `help:"Tenants that are served here, by id. Default: any."`
}

func (a Auth) verifier(ctx context.Context, now clock.Clock) (*auth.Verifier, error) {
	return auth.NewVerifier(ctx, auth.Config{
		Issuer: a.Issuer, Audience: a.Audience, JWKSFile: a.JWKSFile, JWKSURL: a.JWKSURL,
		TenantClaim: a.TenantClaim, PersonClaim: a.PersonClaim, RolesClaim: a.RolesClaim,
		Tenants: a.Tenants, Clock: now,
	})
}

// TLS is how connections are protected; without files they are plain text, for
// one machine or behind a mesh.
type TLS struct {
	CertFile string `type:"path" help:"Certificate (PEM) to serve with, and to show to other services."`
	KeyFile  string `type:"path" help:"Its private key (PEM)."`
	CAFile   string `name:"ca-file" type:"path" help:"Authorities (PEM) that other services' certificates must come from; callers must show one too."`
}

// Server gives the settings to serve with; nil for plain text.
func (t TLS) Server() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	cert, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	if pool != nil {
		c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// Client gives the settings to call other services with; nil for plain text.
func (t TLS) Client() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	cert, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool}, nil
}

func (t TLS) load() (tls.Certificate, *x509.CertPool, error) {
	if t.CertFile == "" || t.KeyFile == "" {
		return tls.Certificate{}, nil, errors.New("tls-cert-file and tls-key-file go together")
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return cert, nil, fmt.Errorf("tls-cert-file: %w", err)
	}
	if t.CAFile == "" {
		return cert, nil, nil
	}
	text, err := os.ReadFile(t.CAFile)
	if err != nil {
		return cert, nil, fmt.Errorf("tls-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return cert, nil, errors.New("tls-ca-file: there is no certificate in it")
	}
	return cert, pool, nil
}

// Limits are those of rpc.Limits that deployments differ in.
type Limits struct {
	ReadsPerSecond   int `default:"5000" help:"Reads a caller may make per second; bursts may be twice that."`
	WritesPerSecond  int `default:"5000" help:"Writes a caller may make per second; bursts may be twice that."`
	StreamsPerCaller int `default:"2048" help:"Streams a caller may have open at once."`
}

func (l Limits) rpc() rpc.Limits {
	d := rpc.DefaultLimits()
	d.ReadsPerSecond, d.WritesPerSecond, d.MaxStreamsPerCaller = l.ReadsPerSecond, l.WritesPerSecond, l.StreamsPerCaller
	return d
}

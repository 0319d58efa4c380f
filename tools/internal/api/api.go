// Package api calls the REST API, as any client would.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

// Target is a running system and how to be let in, as all commands take it.
type Target struct {
	URL   string `default:"http://127.0.0.1:8080" help:"Address of the REST API."`
	Token string `help:"Token to call with. Default: a development token, minted from --data."`
	Data  string `default:"./data" type:"path" help:"Data folder of a system that runs with up, to mint tokens from."`
}

// Client calls a system. Safe for concurrent use.
type Client struct {
	target Target
	http   *http.Client
	issuer *auth.Issuer

	mu     sync.Mutex
	tokens map[string]string // by role and person
}

// New gives a client.
func New(t Target) (*Client, error) {
	c := &Client{
		target: t, tokens: map[string]string{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}},
	}
	if t.Token != "" {
		return c, nil
	}
	var err error
	c.issuer, err = auth.OpenIssuer(t.Data, clock.System)
	return c, err
}

// Problem is what a system answers when it refuses.
type Problem struct {
	Status     int    `json:"status"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
	Violations []struct {
		Field       string `json:"field"`
		Description string `json:"description"`
	} `json:"violations"`
}

// Error implements error.
func (p *Problem) Error() string {
	if len(p.Violations) > 0 {
		return fmt.Sprintf("%s: %s %s", p.Reason, p.Violations[0].Field, p.Violations[0].Description)
	}
	return fmt.Sprintf("%s: %s", p.Reason, p.Detail)
}

// Reason is the reason of a Problem; "" for other errors and none.
func Reason(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Reason
	}
	return ""
}

// tokenLife is how long minted tokens are good.
const tokenLife = 12 * time.Hour

// TokenFor gives the token to call as somebody with.
func (c *Client) TokenFor(tenant, person, role string) (string, error) {
	if c.issuer == nil {
		return c.target.Token, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := tenant + "/" + person + "/" + role
	if t, ok := c.tokens[key]; ok {
		return t, nil
	}
	subject := person
	if subject == "" {
		subject = role
	}
	t, err := c.issuer.Mint(auth.Claims{Subject: subject, Tenant: tenant, Person: person, Roles: []string{role}, TTL: tokenLife})
	if err == nil {
		c.tokens[key] = t
	}
	return t, err
}

// Person calls as one person.
type Person struct {
	client *Client
	token  string
	// Name is tenants/{tenant}/people/{person}.
	Name string
}

// Person gives a caller for a person.
func (c *Client) Person(tenant, person string) (*Person, error) {
	token, err := c.TokenFor(tenant, person, "person")
	return &Person{client: c, token: token, Name: "tenants/" + tenant + "/people/" + person}, err
}

// Reader gives a caller for a coach who reads a person's data.
func (c *Client) Reader(tenant, reader, person string) (*Person, error) {
	token, err := c.TokenFor(tenant, reader, "coach")
	return &Person{client: c, token: token, Name: "tenants/" + tenant + "/people/" + person}, err
}

// Do sends a request below the person's name; path begins with "/". The answer
// is decoded into out, unless that is nil; a *[]byte gets it as it is. A refusal is
// a *Problem.
func (p *Person) Do(ctx context.Context, method, path string, body, out any) error {
	return p.client.Do(ctx, p.token, method, "/v1/"+p.Name+path, body, out)
}

// Do sends a request with a token, as Person.Do does; path begins with "/".
func (c *Client) Do(ctx context.Context, token, method, path string, body, out any) error {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.target.URL+path, in)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.answer(req, token, out)
}

// answer sends a request and decodes what comes back into out, unless that is nil.
func (c *Client) answer(req *http.Request, token string, out any) error {
	body, err := c.open(req, token)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read to its end below
	text, err := io.ReadAll(body)
	if err != nil || out == nil {
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, out)
}

// open sends a request and gives the body of an answer that is no refusal; the
// caller closes it.
func (c *Client) open(req *http.Request, token string) (io.ReadCloser, error) {
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }() // its status says what matters
	p := &Problem{Status: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(p); err != nil {
		return nil, fmt.Errorf("the server answered %s", res.Status)
	}
	return nil, p
}

// Stream opens a stream in a media type; the caller closes it.
func (c *Client) Stream(ctx context.Context, token, path, mediaType string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.target.URL+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaType)
	return c.open(req, token)
}

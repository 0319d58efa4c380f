package main

import (
	"fmt"
	"time"

	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

// tokenCommand prints a development token.
type tokenCommand struct {
	Tenant string        `required:"" help:"The tenant."`
	Person string        `help:"The person, for the roles person and coach."`
	Role   []string      `required:"" enum:"person,coach,analyst,pipeline,admin" help:"The role, or several: person, coach, analyst, pipeline, admin."`
	Data   string        `default:"./data" type:"path" help:"Data folder of the system that is to trust the token."`
	TTL    time.Duration `name:"ttl" default:"12h" help:"How long the token is good."`
}

// Run prints the token and nothing else.
func (t *tokenCommand) Run() error {
	issuer, err := auth.OpenIssuer(t.Data, clock.System)
	if err != nil {
		return err
	}
	subject := t.Person
	if subject == "" {
		subject = t.Role[0] + "-dev"
	}
	token, err := issuer.Mint(auth.Claims{Subject: subject, Tenant: t.Tenant, Person: t.Person, Roles: t.Role, TTL: t.TTL})
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

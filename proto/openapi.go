// Package proto carries the API's description for those who serve it.
package proto

import _ "embed" // the document below

//go:embed gen/openapi/rebound.json
var openAPI []byte

// OpenAPI gives the OpenAPI 3 document of the REST API, as JSON. Nobody may
// change it.
func OpenAPI() []byte { return openAPI }

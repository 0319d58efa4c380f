// Command openapi merges the OpenAPI documents that are generated per proto
// file into the one document of the REST API: path parameters get the names of
// their resources, every operation asks for a token and can answer with a
// problem document. Usage: openapi FOLDER OUTPUT.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type object = map[string]any

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: openapi FOLDER OUTPUT")
	}
	files, err := documents(args[0])
	if err != nil {
		return err
	}
	merged := skeleton()
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var doc object
		if err := json.Unmarshal(text, &doc); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := merge(merged, doc); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	text, err := json.MarshalIndent(merged, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(args[1]), 0o755); err != nil {
		return err
	}
	return os.WriteFile(args[1], append(text, '\n'), 0o644)
}

func documents(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".json") {
			files = append(files, path)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// skeleton is what the document says beyond the protos.
func skeleton() object {
	str := object{"type": "string"}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Rebound",
			"version": "1.0.0",
			"description": "Helps people get up again after a professional failure. " +
				"Names are as in the paths: tenants/{tenant}/people/{person}/... " +
				"Errors are problem documents (RFC 9457) with a stable reason.",
		},
		"security": []any{object{"bearer": []any{}}},
		"paths":    object{},
		"tags":     []any{},
		"components": object{
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
			"schemas": object{"Problem": object{
				"type":        "object",
				"description": "What went wrong.",
				"required":    []any{"type", "title", "status", "code", "reason", "requestId"},
				"properties": object{
					"type":      object{"type": "string", "description": "about:blank, or an address that explains the problem."},
					"title":     object{"type": "string", "description": "The HTTP status in words."},
					"status":    object{"type": "integer", "description": "The HTTP status."},
					"detail":    object{"type": "string", "description": "What went wrong, for people."},
					"code":      object{"type": "string", "description": "The canonical code, such as INVALID_ARGUMENT."},
					"reason":    object{"type": "string", "description": "The stable reason, such as PAGE_TOKEN_EXPIRED."},
					"requestId": object{"type": "string", "description": "Id of the request, as in X-Request-Id."},
					"metadata":  object{"type": "object", "additionalProperties": str, "description": "More about the reason."},
					"violations": object{"type": "array", "description": "The fields at fault.", "items": object{
						"type":       "object",
						"properties": object{"field": str, "reason": str, "description": str},
					}},
					"retryAfterSeconds": object{"type": "number", "description": "When to try again."},
				},
			}},
		},
	}
}

func merge(into, doc object) error {
	paths := into["paths"].(object)
	for path, item := range asObject(doc["paths"]) {
		named, rename := nameParameters(path)
		target := asObject(paths[named])
		for verb, op := range asObject(item) {
			if _, twice := target[verb]; twice {
				return fmt.Errorf("%s %s is there twice", verb, named)
			}
			target[verb] = archives(named, finish(asObject(op), rename, mediaTypesOf(named)))
		}
		paths[named] = target
	}
	schemas := into["components"].(object)["schemas"].(object)
	maps.Copy(schemas, asObject(asObject(doc["components"])["schemas"]))
	delete(schemas, "google.api.HttpBody") // answers of other media types are not JSON
	if tags, ok := doc["tags"].([]any); ok {
		into["tags"] = append(into["tags"].([]any), tags...)
	}
	return nil
}

func asObject(v any) object {
	if o, ok := v.(object); ok {
		return o
	}
	return object{}
}

var variable = regexp.MustCompile(`^\{([^}]+)\}(:[A-Za-z]+)?$`)

// nameParameters names each path parameter after its collection, so that one
// path is one path whatever the request calls its field.
func nameParameters(path string) (string, map[string]string) {
	rename := map[string]string{}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if m := variable.FindStringSubmatch(s); m != nil && i > 0 {
			rename[m[1]] = singular(segments[i-1])
			segments[i] = "{" + rename[m[1]] + "}" + m[2]
		}
	}
	return strings.Join(segments, "/"), rename
}

func singular(collection string) string {
	if collection == "people" {
		return "person"
	}
	return strings.TrimSuffix(collection, "s")
}

// archives tells of the zip files that the edge gives and takes as they are.
func archives(path string, op object) object {
	zip := object{"application/zip": object{"schema": object{"type": "string", "format": "binary"}}}
	switch {
	case strings.HasSuffix(path, ":download"), strings.HasSuffix(path, ":export") && isDocument(op):
		asObject(op["responses"])["200"] = object{"description": "The archive.", "content": zip}
	case strings.HasSuffix(path, ":import"):
		maps.Copy(asObject(asObject(op["requestBody"])["content"]), zip)
	}
	return op
}

// isDocument tells whether an operation answers with a document of its own media type.
func isDocument(op object) bool {
	answer := asObject(asObject(asObject(op["responses"])["200"])["content"])
	ref, _ := asObject(asObject(answer["application/json"])["schema"])["$ref"].(string)
	return strings.HasSuffix(ref, "google.api.HttpBody")
}

// mediaTypesOf are those of answers that are no JSON, by how their paths end.
func mediaTypesOf(path string) []string {
	switch {
	case strings.HasSuffix(path, ".ics"):
		return []string{"text/calendar"}
	case strings.HasSuffix(path, "/charts/{chart}"):
		return []string{"image/svg+xml", "image/png"}
	case strings.HasSuffix(path, ":page"):
		return []string{"text/html"}
	}
	return nil
}

// finish renames an operation's path parameters, gives its answer the
// media types other than JSON where it has some, and adds how it can fail.
func finish(op object, rename map[string]string, mediaTypes []string) object {
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		param := asObject(p)
		if name, _ := param["name"].(string); param["in"] == "path" && rename[name] != "" {
			param["name"] = rename[name]
			param["description"] = "Id of the " + rename[name] + "."
		}
	}
	responses := asObject(op["responses"])
	if len(mediaTypes) > 0 {
		content := object{}
		for _, t := range mediaTypes {
			content[t] = object{"schema": object{"type": "string"}}
		}
		responses["200"] = object{"description": "A successful response.", "content": content}
	}
	responses["default"] = object{
		"description": "What went wrong.",
		"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
	}
	op["responses"] = responses
	return op
}

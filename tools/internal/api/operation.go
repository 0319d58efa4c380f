package api

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// Operation is an export or import as the API shows it.
type Operation struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Done     bool   `json:"done"`
	Progress struct {
		EntriesDone  int64 `json:"entriesDone,string"`
		EntriesTotal int64 `json:"entriesTotal,string"`
	} `json:"progress"`
	Counts []struct {
		Kind      string `json:"kind"`
		Exported  int64  `json:"exported,string"`
		Created   int64  `json:"created,string"`
		Unchanged int64  `json:"unchanged,string"`
		Conflicts int64  `json:"conflicts,string"`
		Refused   int64  `json:"refused,string"`
	} `json:"counts"`
	Issues []struct {
		Entry  string `json:"entry"`
		Reason string `json:"reason"`
	} `json:"issues"`
	ArchiveBytes int64 `json:"archiveBytes,string"`
	Failure      struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"failure"`
}

// Path is where the operation is, below the person.
func (o Operation) Path(p *Person) string { return strings.TrimPrefix(o.Name, p.Name) }

// Download opens an archive; the caller closes it.
func (p *Person) Download(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.client.target.URL+"/v1/"+p.Name+path, nil)
	if err != nil {
		return nil, err
	}
	return p.client.open(req, p.token)
}

// Upload sends an archive of a known size, and decodes the answer into out.
func (p *Person) Upload(ctx context.Context, path string, archive io.Reader, size int64, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.client.target.URL+"/v1/"+p.Name+path, archive)
	if err != nil {
		return err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/zip")
	return p.client.answer(req, p.token, out)
}

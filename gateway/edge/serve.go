package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
)

// Serve serves the edge until ctx ends, then ends streams and lets calls finish.
func (e *Edge) Serve(ctx context.Context, lis net.Listener) error {
	l := e.options.Limits
	proxy := newGRPCProxy(e.options)
	defer proxy.server.Stop()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isGRPC(r) {
				proxy.server.ServeHTTP(w, r)
				return
			}
			e.ServeHTTP(w, r)
		}),
		Protocols:         protocols,
		ReadHeaderTimeout: l.HeaderTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.MaxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(lis) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	close(e.draining)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serr := <-failed; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

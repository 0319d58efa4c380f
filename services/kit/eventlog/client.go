package eventlog

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

// Client reads an event stream and comes back by itself after failures.
type Client struct {
	events eventsv1.EventServiceClient
	types  []string
	// share of shares; 0 of 0: all.
	share, shares int32
	log           *slog.Logger
	// pause makes the waits between attempts.
	pause func() backoff.BackOff
}

// NewClient reads from a service.
func NewClient(events eventsv1.EventServiceClient, log *slog.Logger) *Client {
	return &Client{events: events, log: log, pause: func() backoff.BackOff {
		b := backoff.NewExponentialBackOff()
		b.InitialInterval, b.MaxInterval = 50*time.Millisecond, 5*time.Second
		return b
	}}
}

// Only gives a client that reads events of some types only.
func (c *Client) Only(types ...string) *Client {
	only := *c
	only.types = types
	return &only
}

// Share gives a client that reads one share of the log only.
func (c *Client) Share(share, shares int) *Client {
	one := *c
	one.share, one.shares = int32(share), int32(shares)
	return &one
}

// Run hands responses to handle, those that have queued up as one, from a token on (empty: the earliest), until
// ctx ends, handle fails, or the server refuses for good. Between failures it
// waits ever longer, with jitter, and goes on from the last token that was
// handled: nothing is missed, and nothing is handled twice.
func (c *Client) Run(ctx context.Context, token string, handle func(context.Context, *eventsv1.StreamEventsResponse) error) error {
	pause := c.pause()
	for {
		err := c.stream(ctx, &token, func(res *eventsv1.StreamEventsResponse) error {
			if err := handle(ctx, res); err != nil {
				return handlerError{err}
			}
			pause.Reset()
			return nil
		})
		var failed handlerError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			return failed.error
		case permanent(err):
			return err
		}
		wait := pause.NextBackOff()
		c.log.DebugContext(ctx, "event stream ended; coming back", "code", status.Code(err).String(), "wait_ms", wait.Milliseconds())
		if err := clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// handlerError tells the handler's failure from the stream's.
type handlerError struct{ error }

const (
	// ahead is how many responses are taken from a stream while one is handled.
	ahead = 16
	// gathered is how many events one handling has at most, from when on no more are
	// added: many, since whoever keeps something per owner does so once for all of them.
	gathered = 8000
)

func (c *Client) stream(ctx context.Context, token *string, handle func(*eventsv1.StreamEventsResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.events.StreamEvents(ctx, &eventsv1.StreamEventsRequest{ResumeToken: *token, Types: c.types, Share: c.share, Shares: c.shares})
	if err != nil {
		cancel()
		return err
	}
	responses, failed := make(chan *eventsv1.StreamEventsResponse, ahead), make(chan error, 1)
	go receive(ctx, stream, responses, failed)
	defer func() {
		cancel()
		for range responses { // until receive has ended
		}
	}()
	for res := range responses {
		gather(res, responses)
		if err := handle(res); err != nil {
			return err
		}
		*token = res.GetNextToken()
	}
	return <-failed
}

func receive(ctx context.Context, stream grpc.ServerStreamingClient[eventsv1.StreamEventsResponse], responses chan<- *eventsv1.StreamEventsResponse, failed chan<- error) {
	defer close(responses)
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			err = status.Error(codes.Unavailable, "the stream ended")
		}
		if err != nil {
			failed <- err
			return
		}
		select {
		case responses <- res:
		case <-ctx.Done():
			failed <- ctx.Err()
			return
		}
	}
}

// gather adds what else has come meanwhile to a response: whoever is slow to
// handle one handles more at once.
func gather(res *eventsv1.StreamEventsResponse, responses <-chan *eventsv1.StreamEventsResponse) {
	for len(res.GetEvents()) < gathered {
		select {
		case next, ok := <-responses:
			if !ok {
				return
			}
			res.Events = append(res.Events, next.GetEvents()...)
			res.NextToken, res.HistoryEnd = next.GetNextToken(), res.GetHistoryEnd() || next.GetHistoryEnd()
		default:
			return
		}
	}
}

// permanent tells errors that coming back does not mend.
func permanent(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unimplemented:
		return true
	}
	return false
}

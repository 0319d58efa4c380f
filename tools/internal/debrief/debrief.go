// Package debrief walks a person through a guided debrief in the terminal, one
// prompt at a time. All it knows lies on the server: whoever stops goes on where
// they stopped.
package debrief

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/terminal"
)

// Walk is a walk through one debrief.
type Walk struct {
	Person api.Caller
	// Name is the person's resource name.
	Name string
	// Setback is the id of the setback; empty: the latest that is open, or a new one.
	Setback string
	In      *bufio.Scanner
	Out     io.Writer
	// Now is the present, where the person is.
	Now time.Time
}

// errQuit is a person who wants to stop for now.
var errQuit = errors.New("debrief: stopped for now")

type body map[string]any

// response is what :nextPrompt answers.
type response struct {
	Prompt *struct {
		ID      string `json:"id"`
		Section string `json:"section"`
		Text    string `json:"text"`
		Target  string `json:"target"`
	} `json:"prompt"`
	Progress   float64 `json:"progress"`
	Reason     string  `json:"reason"`
	ReasonText string  `json:"reasonText"`
}

// document is what is there of a debrief.
type document struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Moments []moment `json:"moments"`
	Answers []struct {
		Question string `json:"question"`
		Text     string `json:"text"`
	} `json:"answers"`
	WhyChain []*because `json:"whyChain"`
}

type moment struct {
	What     string   `json:"what"`
	Who      []string `json:"who,omitempty"`
	Thought  string   `json:"thought,omitempty"`
	Feelings []string `json:"feelings,omitempty"`
}

type because struct {
	Text          string     `json:"text"`
	Influenceable bool       `json:"influenceable"`
	Becauses      []*because `json:"becauses,omitempty"`
}

// Run walks until the debrief is complete or the person stops.
func (w *Walk) Run(ctx context.Context) error {
	w.say("One thing at a time. /skip leaves a question out, /quit stops for now: everything you have said is kept.\n")
	path, err := w.begin(ctx)
	for err == nil {
		var next response
		if err = w.Person.Do(ctx, "POST", path+":nextPrompt", body{}, &next); err != nil {
			break
		}
		if next.Prompt == nil {
			w.say("\nThat is all there is to ask. Well done.\n")
			return nil
		}
		w.show(next)
		err = w.handle(ctx, path, next)
	}
	if errors.Is(err, errQuit) {
		w.say("\nSee you. The same command goes on from here.\n")
		return nil
	}
	return err
}

// begin finds the setback and the debrief to go on with, or makes them.
func (w *Walk) begin(ctx context.Context) (string, error) {
	setback, err := w.findSetback(ctx)
	if err != nil {
		return "", err
	}
	var list struct {
		Debriefs []document `json:"debriefs"`
	}
	if err := w.Person.Do(ctx, "GET", "/setbacks/"+setback+"/debriefs?orderBy=create_time%20desc", nil, &list); err != nil {
		return "", err
	}
	w.Setback = setback
	for _, d := range list.Debriefs {
		if d.State == "DEBRIEF_STATE_DRAFT" {
			w.say("Going on with the debrief you have begun.\n")
			return strings.TrimPrefix(d.Name, w.Name), nil
		}
	}
	var made document
	err = w.Person.Do(ctx, "POST", "/setbacks/"+setback+"/debriefs", body{}, &made)
	return strings.TrimPrefix(made.Name, w.Name), err
}

func (w *Walk) findSetback(ctx context.Context) (string, error) {
	if w.Setback != "" {
		return w.Setback, nil
	}
	var list struct {
		Setbacks []struct{ Name, Title string }
	}
	if err := w.Person.Do(ctx, "GET", "/setbacks?filter=state%20%3D%20OPEN&pageSize=1", nil, &list); err != nil {
		return "", err
	}
	if len(list.Setbacks) == 0 {
		w.say("What went wrong? One line is enough to begin with.\n")
		title, err := w.line()
		if err != nil {
			return "", err
		}
		var made struct{ Name, Title string }
		if err := w.Person.Do(ctx, "POST", "/setbacks", body{"title": title}, &made); err != nil {
			return "", err
		}
		list.Setbacks = append(list.Setbacks, made)
	}
	w.say("About: %s\n", terminal.Plain(list.Setbacks[0].Title))
	return list.Setbacks[0].Name[strings.LastIndexByte(list.Setbacks[0].Name, '/')+1:], nil
}

// barWidth is how wide the bar of progress is.
const barWidth = 24

func (w *Walk) show(r response) {
	done := int(r.Progress*barWidth + 0.5)
	section := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(r.Prompt.Section, "DEBRIEF_SECTION_"), "_", " "))
	w.say("\n%s%s %3.0f %%  %s\n", strings.Repeat("█", done), strings.Repeat("░", barWidth-done), 100*r.Progress, section)
	if r.Reason != "PROMPT_REASON_MISSING" {
		w.say("(%s)\n", r.ReasonText)
	}
	w.say("%s\n", r.Prompt.Text)
}

// handle takes the answer to a prompt to where it belongs.
func (w *Walk) handle(ctx context.Context, path string, r response) error {
	err := w.answer(ctx, path, r)
	var retry errRetry
	switch {
	case errors.Is(err, errSkip):
		return w.Person.Do(ctx, "POST", path+":nextPrompt", body{"skip": r.Prompt.ID}, nil)
	case errors.As(err, &retry):
		w.say("%s\n", retry)
		return nil
	}
	return err
}

// errSkip is a person who leaves a prompt out.
var errSkip = errors.New("debrief: skipped")

// errRetry is an answer that cannot be understood, with what to say about it.
type errRetry string

func (e errRetry) Error() string { return string(e) }

// line reads one line that is not empty.
func (w *Walk) line() (string, error) {
	for {
		w.say("> ")
		if !w.In.Scan() {
			return "", errQuit
		}
		switch text := strings.TrimSpace(w.In.Text()); text {
		case "":
			continue
		case "/quit":
			return "", errQuit
		case "/skip":
			return "", errSkip
		default:
			return text, nil
		}
	}
}

// lines reads lines until an empty one.
func (w *Walk) lines() ([]string, error) {
	first, err := w.line()
	if err != nil {
		return nil, err
	}
	out := []string{first}
	for {
		w.say(". ")
		if !w.In.Scan() || strings.TrimSpace(w.In.Text()) == "" {
			return out, nil
		}
		out = append(out, strings.TrimSpace(w.In.Text()))
	}
}

// yes asks a question that is answered by yes or no.
func (w *Walk) yes(question string) (bool, error) {
	w.say("%s (y/n)\n", question)
	text, err := w.line()
	return strings.HasPrefix(strings.ToLower(text), "y"), err
}

func (w *Walk) say(format string, args ...any) {
	_, _ = fmt.Fprintf(w.Out, format, args...) // who cannot be spoken to will notice
}

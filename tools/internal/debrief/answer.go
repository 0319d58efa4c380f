package debrief

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// answer asks for what a prompt wants and writes it.
func (w *Walk) answer(ctx context.Context, path string, r response) error {
	switch r.Prompt.ID {
	case "slot":
		return w.slot(ctx, path)
	case "moments":
		return w.moments(ctx, path)
	case "moments-who", "moments-thoughts", "moments-feelings":
		return w.momentDetails(ctx, path, r.Prompt.ID)
	case "factors":
		return w.factors(ctx)
	case "why-chain", "why-chain-deeper":
		return w.whyChain(ctx, path)
	case "strengths":
		return w.strength(ctx)
	case "lessons":
		return w.lesson(ctx)
	case "next-time":
		return w.nextTime(ctx)
	case "closure":
		return w.closure(ctx, path)
	}
	return w.question(ctx, path, r)
}

// slot takes a time such as 18:30, or 2026-11-24 18:30, or now.
func (w *Walk) slot(ctx context.Context, path string) error {
	w.say("(a time such as 18:30, a date and time such as 2026-11-24 18:30, or now)\n")
	text, err := w.line()
	if err != nil {
		return err
	}
	at := w.Now
	if text != "now" {
		day := w.Now.Format(time.DateOnly) + " "
		if len(text) > len("15:04") {
			day = ""
		}
		if at, err = time.ParseInLocation("2006-01-02 15:04", day+text, w.Now.Location()); err != nil {
			return errRetry("That is no time I understand.")
		}
	}
	return w.Person.Do(ctx, "PATCH", path, body{"scheduledTime": at.UTC().Format(time.RFC3339), "duration": "1800s"}, nil)
}

func (w *Walk) document(ctx context.Context, path string) (document, error) {
	var d document
	return d, w.Person.Do(ctx, "GET", path, nil, &d)
}

func (w *Walk) moments(ctx context.Context, path string) error {
	w.say("(one line each; an empty line ends it)\n")
	lines, err := w.lines()
	if err != nil {
		return err
	}
	var moments []moment
	for _, what := range lines {
		moments = append(moments, moment{What: what})
	}
	return w.Person.Do(ctx, "PATCH", path, body{"moments": moments}, nil)
}

// momentDetails asks about each moment in turn.
func (w *Walk) momentDetails(ctx context.Context, path, prompt string) error {
	d, err := w.document(ctx, path)
	if err != nil {
		return err
	}
	if prompt == "moments-feelings" {
		w.say("(%s; several with commas between)\n", strings.Join(names(typev1.Feeling_name, "FEELING_"), ", "))
	}
	for i := range d.Moments {
		m := &d.Moments[i]
		w.say("— %s\n", m.What)
		text, err := w.line()
		if err != nil {
			return err
		}
		switch prompt {
		case "moments-who":
			m.Who = split(text)
		case "moments-thoughts":
			m.Thought = text
		case "moments-feelings":
			for _, f := range split(text) {
				name := strings.ToUpper(f)
				if !slices.Contains(names(typev1.Feeling_name, "FEELING_"), strings.ToLower(f)) {
					return errRetry("I know the feelings above only.")
				}
				if !slices.Contains(m.Feelings, "FEELING_"+name) {
					m.Feelings = append(m.Feelings, "FEELING_"+name)
				}
			}
		}
	}
	return w.Person.Do(ctx, "PATCH", path, body{"moments": d.Moments}, nil)
}

func (w *Walk) factors(ctx context.Context) error {
	kinds := names(typev1.FactorKind_name, "FACTOR_KIND_")
	for i, kind := range kinds {
		w.say("%3d  %s\n", i+1, strings.ReplaceAll(kind, "_", " "))
	}
	w.say("(numbers, with commas between)\n")
	text, err := w.line()
	if err != nil {
		return err
	}
	var factors []body
	for _, number := range split(text) {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(kinds) {
			return errRetry("The numbers go from 1 to " + strconv.Itoa(len(kinds)) + ".")
		}
		factors = append(factors, body{"kind": "FACTOR_KIND_" + strings.ToUpper(kinds[n-1])})
	}
	return w.Person.Do(ctx, "PATCH", "/setbacks/"+w.Setback, body{"factors": factors}, nil)
}

// question adds an answer; a follow-up is added to the answer that is there.
func (w *Walk) question(ctx context.Context, path string, r response) error {
	lines, err := w.lines()
	if err != nil {
		return err
	}
	d, err := w.document(ctx, path)
	if err != nil {
		return err
	}
	text := strings.Join(lines, "\n")
	var answers []body
	found := false
	for _, a := range d.Answers {
		if a.Question == r.Prompt.ID {
			a.Text, found = strings.TrimSpace(a.Text+"\n"+text), true
		}
		answers = append(answers, body{"question": a.Question, "text": a.Text})
	}
	if !found {
		answers = append(answers, body{"question": r.Prompt.ID, "text": text})
	}
	return w.Person.Do(ctx, "PATCH", path, body{"answers": answers}, nil)
}

// maxDepth is how deep a why-chain goes.
const maxDepth = 5

// whyChain asks why, and why that, from where the chain is open.
func (w *Walk) whyChain(ctx context.Context, path string) error {
	d, err := w.document(ctx, path)
	if err != nil {
		return err
	}
	at, depth := &d.WhyChain, 1
	for len(*at) > 0 {
		at, depth = &(*at)[len(*at)-1].Becauses, depth+1
	}
	for ; depth <= maxDepth; depth++ {
		w.say("why? (%d of at most %d)\n", depth, maxDepth)
		text, err := w.line()
		if err != nil {
			return err
		}
		influenceable, err := w.yes("Could you have influenced that?")
		if err != nil {
			return err
		}
		b := &because{Text: text, Influenceable: influenceable}
		*at = append(*at, b)
		// Each one is kept at once: who stops here goes on from here.
		if err := w.Person.Do(ctx, "PATCH", path, body{"whyChain": d.WhyChain}, nil); err != nil {
			return err
		}
		if !influenceable {
			w.say("That is where it ends: nothing below this was in your hands.\n")
			return nil
		}
		at = &b.Becauses
	}
	return nil
}

func (w *Walk) setbackName() string { return w.Name + "/setbacks/" + w.Setback }

func (w *Walk) strength(ctx context.Context) error {
	text, err := w.line()
	if err != nil {
		return err
	}
	return w.Person.Do(ctx, "POST", "/strengths", body{"statement": text, "evidence": []body{
		{"prompt": "EVIDENCE_PROMPT_HELD_UP_UNDER_PRESSURE", "setback": w.setbackName()},
	}}, nil)
}

func (w *Walk) lesson(ctx context.Context) error {
	text, err := w.line()
	if err != nil {
		return err
	}
	return w.Person.Do(ctx, "POST", "/lessons", body{"statement": text, "setback": w.setbackName()}, nil)
}

// nextTime completes the lessons of the setback that lack it.
func (w *Walk) nextTime(ctx context.Context) error {
	var list struct {
		Lessons []struct{ Name, Statement, NextTime string }
	}
	if err := w.Person.Do(ctx, "GET", "/lessons?pageSize=1000&filter=setback%20%3D%20%22"+w.setbackName()+"%22", nil, &list); err != nil {
		return err
	}
	for _, l := range list.Lessons {
		if l.NextTime != "" {
			continue
		}
		w.say("— %s\n", l.Statement)
		text, err := w.line()
		if err != nil {
			return err
		}
		if err := w.Person.Do(ctx, "PATCH", strings.TrimPrefix(l.Name, w.Name), body{"nextTime": text}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *Walk) closure(ctx context.Context, path string) error {
	complete, err := w.yes("Is the debrief complete?")
	if err != nil {
		return err
	}
	if !complete {
		return errQuit
	}
	if err := w.Person.Do(ctx, "POST", path+":complete", body{}, nil); err != nil {
		return err
	}
	move, err := w.yes("Do you allow yourself to close the setback and move on?")
	if err != nil || !move {
		return err
	}
	return w.Person.Do(ctx, "POST", "/setbacks/"+w.Setback+":close", body{}, nil)
}

// names are the values of an enum in lower case, without prefix and zero.
func names(values map[int32]string, prefix string) []string {
	var out []string
	for number := range int32(len(values)) {
		if name, ok := values[number]; ok && number > 0 {
			out = append(out, strings.ToLower(strings.TrimPrefix(name, prefix)))
		}
	}
	return out
}

func split(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

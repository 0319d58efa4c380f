package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// questionBank is the built-in set of hard questions for a debrief, in the
// order in which they are best asked. Ids are kept in answers: never reuse one.
func questionBank() []*journalv1.DebriefQuestion {
	type q = journalv1.DebriefQuestion_Topic
	bank := []struct {
		id, text string
		topic    q
	}{
		{"goal", "What did you set out to reach, and how would you have known that you were there?", journalv1.DebriefQuestion_TOPIC_GOALS},
		{"goal-met", "Which parts of that did you reach, and which not?", journalv1.DebriefQuestion_TOPIC_GOALS},
		{"went-well", "What went well in spite of everything, and what did you do to make it so?", journalv1.DebriefQuestion_TOPIC_WENT_WELL},
		{"hardest-part", "Which moment was the hardest?", journalv1.DebriefQuestion_TOPIC_HARDEST_PART},
		{"hardest-part-handled", "How did you get through that moment, and would you do it that way again?", journalv1.DebriefQuestion_TOPIC_HARDEST_PART},
		{"why", "Why did it go wrong? Name what was in your hands and what was not.", journalv1.DebriefQuestion_TOPIC_CAUSES},
		{"blind-spots", "What do you see now that you could not see then?", journalv1.DebriefQuestion_TOPIC_BLIND_SPOTS},
		{"asked-others", "Who could have told you, and what kept you from asking?", journalv1.DebriefQuestion_TOPIC_BLIND_SPOTS},
		{"warning-signs", "Which signs told you early that something was off, and what did you do with them?", journalv1.DebriefQuestion_TOPIC_WARNING_SIGNS},
		{"skills", "Being honest: which skill did this ask for that you did not have, or not yet?", journalv1.DebriefQuestion_TOPIC_SKILLS},
		{"learned", "What do you know today that you did not know before?", journalv1.DebriefQuestion_TOPIC_LEARNED},
		{"differently", "If the same situation came tomorrow, what would you do differently, and what the same?", journalv1.DebriefQuestion_TOPIC_DIFFERENTLY},
	}
	out := make([]*journalv1.DebriefQuestion, len(bank))
	for i, b := range bank {
		out[i] = &journalv1.DebriefQuestion{Name: questionPrefix + b.id, Topic: b.topic, Text: b.text, Order: int32(i + 1)}
	}
	return out
}

const questionPrefix = "debriefQuestions/"

func (d *Domain) knownQuestion(id string) bool {
	return slices.ContainsFunc(d.questions, func(q *journalv1.DebriefQuestion) bool {
		return strings.TrimPrefix(q.GetName(), questionPrefix) == id
	})
}

// questionText is what a question asks.
func (d *Domain) questionText(id string) string {
	for _, q := range d.questions {
		if q.GetName() == questionPrefix+id {
			return q.GetText()
		}
	}
	return ""
}

// ListDebriefQuestions gives the whole bank: it is short, and asked in order.
func (d *Domain) ListDebriefQuestions(context.Context, *journalv1.ListDebriefQuestionsRequest) (*journalv1.ListDebriefQuestionsResponse, error) {
	return &journalv1.ListDebriefQuestionsResponse{DebriefQuestions: d.questions}, nil
}

// parentName is the name of the resource above: a name without its last
// collection and id.
func parentName(name string) string {
	segments := strings.Split(name, "/")
	return strings.Join(segments[:max(0, len(segments)-2)], "/")
}

func indexed(list string, i int, field string) string {
	return fmt.Sprintf("%s[%d].%s", list, i, field)
}

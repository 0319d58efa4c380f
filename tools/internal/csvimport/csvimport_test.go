package csvimport

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func read(t *testing.T, text string, o Options) []Row {
	t.Helper()
	o.Tenant, o.Today = "acme", today
	r, err := Open(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

func TestRows(t *testing.T) {
	rows := read(t, "\ufeffperson,title,account,occurred_on,days_ago,feeling,intensity\n"+
		"Ada,The launch failed,\"It\nburned.\",2026-11-20,,shame,10\n"+
		"grace,,"+strings.Repeat("word ", 30)+",,3,,\n", Options{})
	if len(rows) != 2 || rows[0].Err != nil || rows[1].Err != nil {
		t.Fatalf("%+v", rows)
	}
	first := rows[0].Setback
	if rows[0].Person != "ada" || rows[0].Line != 2 || first["title"] != "The launch failed" || first["account"] != "It\nburned." ||
		fmt.Sprint(first["occurredOn"]) != "map[day:20 month:11 year:2026]" || fmt.Sprint(first["feelings"]) != "[FEELING_SHAME]" || first["intensity"] != 10 {
		t.Errorf("%+v", rows[0])
	}
	second := rows[1].Setback
	if title := second["title"].(string); rows[1].Line != 4 || len([]rune(title)) > titleLength+1 || !strings.HasSuffix(title, "word…") ||
		fmt.Sprint(second["occurredOn"]) != "map[day:20 month:11 year:2026]" || second["intensity"] != nil {
		t.Errorf("%+v", rows[1])
	}
}

func TestRefusedRows(t *testing.T) {
	rows := read(t, "person,title,occurred_on,days_ago,feeling,intensity\n"+
		"Not An Id,x,,,,\nada,,,,,\nada,x,20.11.2026,,,\nada,x,,-1,,\nada,x,,soon,,\nada,x,,,bliss,\nada,x,,,,11\nada,x,,,,strong\nada\n", Options{})
	for i, want := range []string{"person:", "title:", "occurred_on:", "days_ago:", "days_ago:", "feeling:", "intensity:", "intensity:", "title:"} {
		if rows[i].Err == nil || !strings.HasPrefix(rows[i].Err.Error(), want) || rows[i].Line != i+2 {
			t.Errorf("line %d: %v, want %s", rows[i].Line, rows[i].Err, want)
		}
	}
}

func TestColumnsAndScale(t *testing.T) {
	rows := read(t, "who,what,how_strong_1_to_4\nada,x,1\nada,x,2\nada,x,4\nada,x,5\n",
		Options{Columns: map[string]string{"person": "who", "title": "what", "intensity": "how_strong_1_to_4"}, Low: 1, High: 4})
	for i, want := range []any{1, 4, 10} {
		if rows[i].Setback["intensity"] != want {
			t.Errorf("row %d: %v, want %v", i, rows[i].Setback["intensity"], want)
		}
	}
	if rows[3].Err == nil {
		t.Error("a value beyond the scale is taken")
	}
	for header, want := range map[string]string{"how_strong_1_to_4": "1 4 true", "x_0_to_100": "0 100 true", "x_4_to_1": "0 0 false", "intensity": "0 0 false"} {
		low, high, ok := ScaleOf(header)
		if got := fmt.Sprint(low, high, ok); got != want {
			t.Errorf("%s: %s", header, got)
		}
	}
}

// TestIDs: the same row has the same id in every run, another another.
func TestIDs(t *testing.T) {
	const text = "person,title,intensity\nada,x,1\nada,x,2\ngrace,x,1\n"
	one, two := read(t, text, Options{}), read(t, text, Options{})
	seen := map[string]bool{}
	for i := range one {
		if one[i].ID != two[i].ID || seen[one[i].ID] {
			t.Errorf("row %d has id %s and %s", i, one[i].ID, two[i].ID)
		}
		seen[one[i].ID] = true
	}
}

func TestOpenRefuses(t *testing.T) {
	for text, columns := range map[string]map[string]string{
		"":               nil,
		"title\n":        nil,
		"person,title\n": {"mood": "title"},
		"person\n":       {"title": "absent"},
	} {
		if _, err := Open(strings.NewReader(text), Options{Columns: columns}); err == nil {
			t.Errorf("%q with %v is taken", text, columns)
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add("person,title\nada,x\n\"ada,x\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Open(strings.NewReader(text), Options{Today: today})
		if err != nil {
			return
		}
		for range 100 {
			row, err := r.Next()
			if err != nil {
				return
			}
			if row.Err == nil && (row.Person == "" || row.Setback["title"] == "") {
				t.Fatalf("%+v", row)
			}
		}
	})
}

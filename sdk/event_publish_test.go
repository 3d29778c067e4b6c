package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// publisher is a service that takes events, and its log: the ids that it was sent.
type publisher struct {
	sizes, bodies []int
	ids           map[string]int
}

func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	var raw json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		return nil, err
	}
	var batch []sdk.EventRequest
	if err := json.Unmarshal(raw, &batch); err != nil {
		batch = make([]sdk.EventRequest, 1)
		if err := json.Unmarshal(raw, &batch[0]); err != nil {
			return nil, err
		}
	}
	p.sizes, p.bodies = append(p.sizes, len(batch)), append(p.bodies, len(raw))
	var list sdk.PublishedList
	for _, e := range batch {
		list.Items = append(list.Items, sdk.Published{ID: e.ID, Sequence: sdk.FormatSequence(uint64(len(p.ids) + 1)), Duplicate: p.ids[e.ID] > 0})
		p.ids[e.ID]++
	}
	if len(p.sizes) == 1 { // the first answer is lost
		return nil, errors.New("cut off")
	}
	out, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(out))}, nil
}

func TestPublishInBatches(t *testing.T) {
	t.Parallel()
	large := json.RawMessage(`"` + text(250<<10) + `"`)
	small := sdk.EventRequest{Type: "a.b"}
	for name, tc := range map[string]struct {
		events []sdk.EventRequest
		sizes  []int
	}{
		"one":   {[]sdk.EventRequest{small}, []int{1, 1}},
		"many":  {repeat(2001, small), []int{1000, 1000, 1000, 1}},
		"large": {repeat(9, sdk.EventRequest{Type: "a.b", Data: large}), []int{4, 4, 4, 1}},
		"none":  {nil, nil},
	} {
		p := &publisher{ids: map[string]int{}}
		c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: p}})
		done, err := c.Publish(t.Context(), tc.events...)
		if err != nil || len(done) != len(tc.events) {
			t.Errorf("%s: %d of %d, %v", name, len(done), len(tc.events), err)
		}
		if diff := cmp.Diff(tc.sizes, p.sizes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(p.ids) != len(tc.events) {
			t.Errorf("%s: %d ids of %d events", name, len(p.ids), len(tc.events))
		}
		for i, size := range p.bodies {
			if size > sdk.MaxBody {
				t.Errorf("%s: body %d has %d bytes", name, i, size)
			}
		}
		for i, d := range done {
			if d.ID == "" || d.Duplicate != (i < p.sizes[0]) {
				t.Errorf("%s: event %d is %+v", name, i, d)
				break
			}
		}
	}
}

func repeat(n int, e sdk.EventRequest) []sdk.EventRequest {
	list := make([]sdk.EventRequest, n)
	for i := range list {
		list[i] = e
	}
	return list
}

// TestPublishAnswersWhatIsInTheLog: a batch that is refused leaves those before it.
func TestPublishAnswersWhatIsInTheLog(t *testing.T) {
	t.Parallel()
	var list sdk.PublishedList
	for i := range 1000 {
		list.Items = append(list.Items, sdk.Published{ID: fmt.Sprint(i)})
	}
	s := &script{answers: []answer{says(201, list), problem(sdk.CodeForbidden, "no")}}
	done, err := s.serve(t).Publish(t.Context(), repeat(1001, sdk.EventRequest{Type: "a"})...)
	if len(done) != 1000 || !errors.Is(err, sdk.ErrForbidden) {
		t.Errorf("%d, %v", len(done), err)
	}
	s = &script{answers: []answer{says(201, list)}}
	if _, err := s.serve(t).Publish(t.Context(), sdk.EventRequest{Type: "a"}); !errors.Is(err, sdk.ErrInternal) {
		t.Errorf("an answer of another length: %v", err)
	}
}

// TestPublishAgain: with ids of the caller's, what failed is sent again as the same events.
func TestPublishAgain(t *testing.T) {
	t.Parallel()
	events := []sdk.EventRequest{{Type: "a", ID: sdk.NewEventID()}, {Type: "a", ID: sdk.NewEventID()}}
	if events[0].ID == events[1].ID || len(events[0].ID) > sdk.MaxEventID {
		t.Errorf("ids %q and %q", events[0].ID, events[1].ID)
	}
	s := &script{answers: []answer{
		problem(sdk.CodeForbidden, "no"), says(201, sdk.PublishedList{Items: []sdk.Published{{ID: events[0].ID, Duplicate: true}, {ID: events[1].ID}}}),
	}}
	c := s.serve(t)
	if _, err := c.Publish(t.Context(), events...); !errors.Is(err, sdk.ErrForbidden) {
		t.Error(err)
	}
	if _, err := c.Publish(t.Context(), events...); err != nil {
		t.Error(err)
	}
	if r := s.requests(); len(r) != 2 || r[0].Body != r[1].Body || !strings.Contains(r[0].Body, events[1].ID) {
		t.Errorf("%+v", r)
	}
}

func TestWrongEventsAreNotSent(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(201, sdk.PublishedList{})}}
	c := s.serve(t)
	_, err := c.Publish(t.Context(), sdk.EventRequest{Type: "a"}, sdk.EventRequest{
		Type: "A", Data: json.RawMessage(`{`), Subject: text(257), ID: text(257), CorrelationID: text(257),
	}, sdk.EventRequest{Data: json.RawMessage(`"` + text(256<<10) + `"`)})
	for _, want := range []string{"$[1].type", "$[1].data", "$[1].subject", "$[1].id", "$[1].correlationId", "$[2].type is required", "$[2].data is larger than 262144"} {
		if !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if _, err := c.Publish(t.Context(), sdk.EventRequest{Type: "task.completed"}); !errors.Is(err, sdk.ErrReservedType) {
		t.Errorf("a reserved type: %v", err)
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestEventsTurnsThePages(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{
		says(200, sdk.EventPage{Items: []sdk.Event{{ID: "1"}, {ID: "2"}}, NextCursor: "7"}),
		says(200, sdk.EventPage{NextCursor: "9"}),
		says(200, sdk.EventPage{Items: []sdk.Event{{ID: "3"}}}),
	}}
	var got []string
	for e, err := range s.serve(t).Events(t.Context(), sdk.EventFilter{Types: sdk.EventPatterns{"code.*"}, Since: noon(1), Until: noon(2), Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ID)
	}
	const chosen = "limit=2&%stypes=code.%%2A&until=2026-01-02T12%%3A00%%3A02Z"
	var uris []string
	for _, r := range s.requests() {
		uris = append(uris, r.URI)
	}
	want := []string{
		"/behind/a/proxy/v1/events?" + fmt.Sprintf(chosen, "since=2026-01-02T12%3A00%3A01Z&"),
		"/behind/a/proxy/v1/events?after=7&" + fmt.Sprintf(chosen, ""), "/behind/a/proxy/v1/events?after=9&" + fmt.Sprintf(chosen, ""),
	}
	if diff := cmp.Diff(want, uris); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, got); diff != "" {
		t.Error(diff)
	}
	again := &script{answers: []answer{says(200, sdk.EventPage{NextCursor: "7"})}}
	for _, err := range again.serve(t).Events(t.Context(), sdk.EventFilter{}) {
		if !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("the same page again: %v", err)
		}
	}
}

func TestErrorsAnswersGroups(t *testing.T) {
	t.Parallel()
	want := sdk.ErrorGroups{Items: []sdk.ErrorGroup{{Fingerprint: "f", Code: "agent_failed", Count: 3}}, Truncated: true}
	s := &script{answers: []answer{says(200, want)}}
	c := s.serve(t)
	got, err := c.Errors(t.Context(), time.Time{})
	if diff := cmp.Diff(&want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := c.Errors(t.Context(), noon(1)); err != nil {
		t.Error(err)
	}
	if _, err := c.Errors(t.Context(), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Errorf("a wrong time: %v", err)
	}
	r := s.requests()
	if len(r) != 2 || r[0].URI != "/behind/a/proxy/v1/errors" || r[1].URI != "/behind/a/proxy/v1/errors?since=2026-01-02T12%3A00%3A01Z" {
		t.Errorf("asked %v", r)
	}
}

package eventlog

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestManyProjectsHaveRoomAtTheDefaultSize(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for i := range 30 {
		p := fmt.Sprint("p", i)
		if _, err := l.Append(bounded(t), p, []sdk.Event{anEvent("a", "x.y")}); err != nil {
			t.Fatalf("project %d: %v", i+1, err)
		}
		if got := ids(t, l, p, Query{}); len(got) != 1 {
			t.Errorf("project %d: %v", i+1, got)
		}
	}
}

func TestAProjectThatIsReadFirstGetsItsConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	publish(t, l, 1, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, Config{Dir: dir, MaxAge: 2 * time.Hour})
	if got := ids(t, l, "p", Query{}); len(got) != 1 {
		t.Errorf("read: %v", got)
	}
	publish(t, l, 2, 2)
	s, err := l.js.Stream(bounded(t), streamName("p"))
	if err != nil || s.CachedInfo().Config.MaxAge != 2*time.Hour {
		t.Errorf("the stream: %+v, %v", s, err)
	}
}

func TestSubjectsAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for i, subject := range []string{" a", "a ", "a", "a\nb", "a\r\nNats-Msg-Id: zz", "Ünïcode", "a  b", "task/1", "a%20b", "a b"} {
		e := anEvent(fmt.Sprint(i), "x.y")
		e.Subject = subject
		if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
			t.Errorf("%q: %v", subject, err)
		}
		page, err := l.Read(bounded(t), "p", Query{Filter: Filter{Subject: subject}, Limit: 10})
		if err != nil || len(page.Records) != 1 {
			t.Errorf("%q: found %d, %v", subject, len(page.Records), err)
			continue
		}
		if e, err := page.Records[0].Event(); err != nil || e.Subject != subject {
			t.Errorf("%q is %q, %v", subject, e.Subject, err)
		}
	}
}

func TestFaultsThatPassAreUnavailable(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&jetstream.APIError{Code: http.StatusServiceUnavailable, ErrorCode: 10008},
		&jetstream.APIError{Code: http.StatusBadRequest, ErrorCode: codeDuplicateNow},
		nats.ErrTimeout, nats.ErrDisconnected, jetstream.ErrTooManyStalledMsgs, jetstream.ErrServerShutdown,
		jetstream.ErrConsumerLeadershipChanged, jetstream.ErrAsyncPublishTimeout,
	} {
		if got := fault(t.Context(), err); !errors.Is(got, sdk.ErrUnavailable) || !errors.Is(got, err) {
			t.Errorf("%v is %v", err, got)
		}
	}
	if got := fault(t.Context(), &jetstream.APIError{Code: http.StatusBadRequest, ErrorCode: 10003}); !errors.Is(got, sdk.ErrInternal) {
		t.Errorf("a bad request is %v", got)
	}
}

func TestFiltersCannotLeaveTheirProject(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for _, f := range []Filter{
		{Story: &Story{KindTask, "*"}}, {Story: &Story{KindTask, ">"}}, {Story: &Story{KindTask, "a.b"}}, {Story: &Story{"*", "a"}},
		{Types: sdk.EventPatterns{">"}}, {Types: sdk.EventPatterns{"a.*.b"}}, {Types: sdk.EventPatterns{"a b"}}, {Types: sdk.EventPatterns{""}},
	} {
		if _, err := l.Read(bounded(t), "p", Query{Filter: f, Limit: 1}); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("reading %+v: %v", f, err)
		}
		if _, err := l.Follow(bounded(t), "p", f, First()); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("following %+v: %v", f, err)
		}
		if f.Story != nil {
			if _, err := l.Terminal(bounded(t), "p", *f.Story); !errors.Is(err, sdk.ErrInternal) {
				t.Errorf("the end of %+v: %v", f, err)
			}
			continue
		}
		s := Subscription{Name: "work", From: "now", Types: f.Types, MaxDeliveries: 1, AckWait: time.Second}
		if _, _, err := l.PutSubscription(bounded(t), "p", s); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("subscribing to %+v: %v", f, err)
		}
	}
}

func TestReadersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	l.idle = time.Hour // what is left stays
	publish(t, l, 1, 50)
	for range 5 {
		ids(t, l, "p", Query{})
		f := follow(t, l, Filter{}, After(10))
		expect(t, f, 11, 60-10)
		f.Close()
	}
	s, err := l.js.Stream(bounded(t), streamName("p"))
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		info, err := s.Info(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Consumers == 0
	})
}

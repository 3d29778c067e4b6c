package sdk_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestUpdatesArePushed: with a stream an update comes with its event; live output comes between, also the last of it. Where the stream
// is refused, or ends with an error, looking goes on.
func TestUpdatesArePushed(t *testing.T) {
	t.Parallel()
	output := func(s string) string {
		return "event: output\ndata: {\"attempt\":1,\"frames\":[{\"text\":\"" + s + "\"}]}\n\n"
	}
	for name, tc := range map[string]struct {
		refuse  *sdk.Error
		options func(said func(string)) []sdk.FollowOption
		want    []string
	}{
		"with output": {nil, func(said func(string)) []sdk.FollowOption {
			return []sdk.FollowOption{sdk.LiveOutput(func(o sdk.TaskOutput) { said(o.Frames[0].Text) })}
		}, []string{"0s queued", "31s a", "41s running", "51s z", "51s completed"}},
		"without": {nil, func(func(string)) []sdk.FollowOption { return []sdk.FollowOption{sdk.Pushed()} }, []string{"0s queued", "41s running", "51s completed"}},
		"refused": {sdk.Errorf(sdk.CodeNotFound, "no streams"), func(func(string)) []sdk.FollowOption { return []sdk.FollowOption{sdk.Pushed()} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				in, pipe := io.Pipe()
				go func() {
					events := []string{output("a"), "id: 1\ndata: {\"type\":\"task.started\"}\n\n", output("z") + "id: 2\ndata: {\"type\":\"task.completed\"}\n\n"}
					pass(21 * time.Second)
					for _, e := range events {
						pass(10 * time.Second)
						if _, err := io.WriteString(pipe, e); err != nil {
							return
						}
					}
				}()
				transport := roundTrip(func(r *http.Request) (*http.Response, error) {
					switch {
					case !strings.HasSuffix(r.URL.Path, "/events"):
						status := sdk.StatusQueued
						if time.Since(began) >= 41*time.Second {
							status = sdk.StatusRunning
						}
						if time.Since(began) >= 51*time.Second {
							status = sdk.StatusCompleted
						}
						return reply(200, sdk.Task{ID: "t1", Status: status})
					case tc.refuse != nil:
						return reply(tc.refuse.Code.HTTPStatus(), tc.refuse.Problem())
					default:
						return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: in}, nil
					}
				})
				// Without a stream nothing is seen before the minute is over.
				c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: transport}, PollingIntervalMs: 60_000})
				var got []string
				said := func(s string) { got = append(got, fmt.Sprint(time.Since(began).Round(time.Second), " ", s)) }
				for u, err := range c.TaskUpdates(t.Context(), "t1", tc.options(said)...) {
					if err != nil {
						t.Fatal(err)
					}
					said(string(u.Task.Status))
				}
				_ = in.Close()
				if tc.want == nil {
					if last := got[len(got)-1]; !strings.HasSuffix(last, " completed") || !strings.HasPrefix(last, "1m") {
						t.Errorf("looked on to %s", last)
					}
					return
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

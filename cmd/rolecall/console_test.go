package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestTheSameTroubleIsSaidOnce: a service that is away for long is not told of at every try.
func TestTheSameTroubleIsSaidOnce(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) > 3 {
			http.NotFound(w, nil)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	client, err := sdk.NewClient(sdk.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := &console{stderr: &stderr}
	var last error
	for _, err := range client.Subscribe(t.Context(), sdk.EventFilter{}, c.tryingAgain()) {
		last = err
	}
	if said := bytes.Count(stderr.Bytes(), []byte("trying again\n")); said != 1 || tries.Load() != 4 || !errors.Is(last, sdk.ErrNotFound) {
		t.Errorf("after %d tries and %v it has said %d times:\n%s", tries.Load(), last, said, stderr.String())
	}
}

package temporal

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"

	"github.com/rolecall-dev/rolecall/dev/internal/poll"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	d := &dynamic{StaticClient: settings()}
	c := dynamicconfig.NewCollection(d, log.NewNoopLogger())
	afresh := dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Get(c)
	if afresh() {
		t.Error("search attributes are read afresh each time, although none was added")
	}
	d.afresh.Store(true)
	if !afresh() {
		t.Error("an attribute that was just added can not be used at once")
	}
	if got := dynamicconfig.TransferProcessorMaxPollRPS.Get(c)(); got != 200 {
		t.Errorf("another setting is %d, want what settings says", got)
	}
}

// TestSearchAttributesCanBeUsedAtOnce: those of a new file are made with it; those that a later program wants are added, and read afresh
// by the server that added them.
func TestSearchAttributesCanBeUsedAtOnce(t *testing.T) {
	t.Parallel()
	first, second := temporal.NewSearchAttributeKeyKeyword("First"), temporal.NewSearchAttributeKeyKeyword("Second")
	file := filepath.Join(t.TempDir(), "temporal.db")
	for i, run := range []struct {
		keys   []temporal.SearchAttributeKeyKeyword
		afresh bool
	}{
		{keys: []temporal.SearchAttributeKeyKeyword{first}},
		{keys: []temporal.SearchAttributeKeyKeyword{first, second}, afresh: true},
		{keys: []temporal.SearchAttributeKeyKeyword{first, second}},
	} {
		o := Options{DBFile: file, Logger: slog.New(slog.DiscardHandler)}
		for _, key := range run.keys {
			o.SearchAttributes = append(o.SearchAttributes, key)
		}
		s, err := Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		useAttributes(t, s, fmt.Sprintf("run-%d", i+1), run.keys)
		if got := s.dynamic.afresh.Load(); got != run.afresh {
			t.Errorf("start %d: attributes are read afresh: %v, want %v", i+1, got, run.afresh)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// useAttributes starts a run with every attribute and waits until a query over all of them answers it.
func useAttributes(t *testing.T, s *Server, id string, keys []temporal.SearchAttributeKeyKeyword) {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.FrontendAddr(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var values []temporal.SearchAttributeUpdate
	var terms []string
	for _, key := range keys {
		values, terms = append(values, key.ValueSet(id)), append(terms, key.GetName()+" = '"+id+"'")
	}
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody", TypedSearchAttributes: temporal.NewSearchAttributes(values...),
	}, "Nothing"); err != nil {
		t.Fatal(err)
	}
	query := strings.Join(terms, " AND ")
	if err := poll.Until(t.Context(), 30*time.Second, func(ctx context.Context) error {
		got, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err == nil && got.GetCount() != 1 {
			err = fmt.Errorf("%d runs, want 1", got.GetCount())
		}
		return err
	}); err != nil {
		t.Errorf("%s: %v", query, err)
	}
}

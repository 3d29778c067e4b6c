package sdk

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// ListEvents answers one page of the events that the filter chooses, oldest first: the first with cursor "", the one after a page with
// its NextCursor and the same filter. A page can be short, even empty, and have one after it. [Client.Events] turns the pages itself.
func (c *Client) ListEvents(ctx context.Context, filter EventFilter, cursor string) (*EventPage, error) {
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	query := filter.query()
	if name, value := filter.begin(); name != "" && cursor == "" {
		query.Set(name, value)
	}
	if cursor != "" {
		query.Set("after", cursor)
	}
	return answered[EventPage](ctx, c, call{method: http.MethodGet, url: c.address(query, "v1", "events"), repeatable: true})
}

// Events answers every event that the filter chooses and the log has, oldest first, page after page as they are asked for, and ends with
// the newest. [Client.Subscribe] goes on with those that come. An error ends it; history_expired is one where retention is faster
// than the reader.
func (c *Client) Events(ctx context.Context, filter EventFilter) iter.Seq2[*Event, error] {
	return pages("events", func(cursor string) ([]Event, string, error) {
		page, err := c.ListEvents(ctx, filter, cursor)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.NextCursor, nil
	})
}

// Errors answers the project's failures of attempts and tasks since a time, grouped by what they have in common, the most frequent first.
// The zero time is the service's default, a day ago.
func (c *Client) Errors(ctx context.Context, since time.Time) (*ErrorGroups, error) {
	query := url.Values{}
	if !since.IsZero() {
		var f faults
		if f.moment("query.since", since); f.err() != nil {
			return nil, f.err()
		}
		query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	return answered[ErrorGroups](ctx, c, call{method: http.MethodGet, url: c.address(query, "v1", "errors"), repeatable: true})
}

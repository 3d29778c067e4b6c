package sdk

import (
	"fmt"
	"iter"
)

// pages answers the items of a list, page after page as they are asked for. turn answers the items of the page at a cursor, "" for the
// first, and the cursor of the next, "" after the last. An error ends it, and so does a page that comes twice; what names the items.
func pages[T any](what string, turn func(cursor string) ([]T, string, error)) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for cursor := ""; ; {
			items, next, err := turn(cursor)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range items {
				if !yield(&items[i], nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case cursor:
				yield(nil, fmt.Errorf("%w: the service answered the same page of %s twice", ErrInternal, what))
				return
			}
			cursor = next
		}
	}
}

// eachOnce leaves out what has come before, by its id, which it remembers until it ends.
func eachOnce[T any](all iter.Seq2[*T, error], id func(*T) string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		seen := map[string]struct{}{}
		for item, err := range all {
			if err == nil {
				if _, again := seen[id(item)]; again {
					continue
				}
				seen[id(item)] = struct{}{}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

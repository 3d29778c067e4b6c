package engine

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	cursorSum = 16      // bytes of the digest in a cursor
	maxCursor = 4 << 10 // letters
)

// NewCursor is where a list goes on: the engine's own token behind a digest of it and of the query, project included, that it goes
// on with. Without a token there is no more.
func NewCursor(query string, token []byte) string {
	if len(token) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(sumOf(query, token), token...))
}

// nextCursor is [NewCursor], or an error where that would be longer than one can be.
func nextCursor(query string, token []byte) (string, error) {
	cursor := NewCursor(query, token)
	if len(cursor) > maxCursor {
		return "", sdk.Errorf(sdk.CodeInternal, "Temporal's page token of %d bytes is longer than a cursor can be", len(token))
	}
	return cursor, nil
}

// ParseCursor is the token in a cursor that came from the same query; none of "".
func ParseCursor(query, cursor string) (token []byte, err error) {
	if cursor == "" {
		return nil, nil
	}
	if len(cursor) > maxCursor {
		return nil, badCursor()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= cursorSum || subtle.ConstantTimeCompare(raw[:cursorSum], sumOf(query, raw[cursorSum:])) != 1 {
		return nil, badCursor()
	}
	return raw[cursorSum:], nil
}

func sumOf(query string, token []byte) []byte {
	sum := sha256.Sum256([]byte("list 1\x00" + query + "\x00" + string(token)))
	return sum[:cursorSum]
}

func badCursor() *sdk.Error {
	return &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the request is not valid; errors names every fault", Faults: []sdk.Fault{{
		Path: "query.cursor", Message: "is not one of this filter: send nextCursor as it came, with the same parameters, or leave it out to begin anew",
	}}}
}

package apiserver

import (
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/rolecall-dev/rolecall/sdk"
)

// idRule says what an id is.
const idRule = "must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -"

// idFaults refuses a path's id before it reaches the engine.
func idFaults(id string) []sdk.Fault {
	if sdk.ValidID(id) {
		return nil
	}
	return []sdk.Fault{{Path: "path.id", Message: idRule}}
}

// query is what stands behind the question mark of a request, and whether all of it could be read.
type query struct {
	values url.Values
	err    error
}

func queryOf(u url.URL) query {
	values, err := url.ParseQuery(u.RawQuery)
	return query{values, err}
}

// faults refuses what can not be read, parameters that the operation does not have, and one given twice.
func (q query) faults(known ...string) []sdk.Fault {
	var faults []sdk.Fault
	if q.err != nil {
		faults = append(faults, sdk.Fault{Path: "query", Message: "can not be read: parameters are separated by &, and % is followed by two hexadecimal digits"})
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		path := "query." + sdk.Cut(name, sdk.MaxMetadataKey)
		switch {
		case !slices.Contains(known, name):
			faults = append(faults, sdk.Fault{Path: path, Message: "is not a known parameter"})
		case len(q.values[name]) > 1:
			faults = append(faults, sdk.Fault{Path: path, Message: "is given twice"})
		}
	}
	return faults
}

// waitMs reads the parameter waitMs; none is 0.
func (q query) waitMs() (ms int, faults []sdk.Fault) {
	if !q.values.Has("waitMs") {
		return 0, nil
	}
	ms, err := strconv.Atoi(q.values.Get("waitMs"))
	if err != nil || ms < 0 || ms > sdk.MaxWaitMs {
		return 0, []sdk.Fault{{Path: "query.waitMs", Message: "must be a whole number from 0 to " + strconv.Itoa(sdk.MaxWaitMs)}}
	}
	return ms, nil
}

// limit reads the parameter limit as filters take it: none is 0, and what is not a number of 1 or more is one that they refuse.
func (q query) limit() int {
	text := q.values.Get("limit")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return -1
	}
	return n
}

// keyFaults reads Idempotency-Key; none is "".
func keyFaults(values []string) (key string, faults []sdk.Fault) {
	if len(values) == 0 {
		return "", nil
	}
	key = values[0]
	ok := len(values) == 1 && key != "" && len(key) <= 255
	for i := range len(key) {
		ok = ok && key[i] >= ' ' && key[i] <= '~'
	}
	if !ok {
		return "", []sdk.Fault{{Path: "header.Idempotency-Key", Message: "must be given once and hold 1 to 255 printable ASCII characters"}}
	}
	return key, nil
}

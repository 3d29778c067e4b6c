package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// jsonFault says what is wrong with JSON, or "".
func jsonFault(raw json.RawMessage) string {
	err, ok := errors.AsType[*sdk.Error](sdk.CheckJSON(raw, len(raw)))
	if !ok {
		return ""
	}
	return strings.TrimPrefix(err.Message, "the value ")
}

// walker goes through JSON that is known to be right, and compiles what it finds.
type walker struct {
	env    *Env
	raw    []byte
	at     int // in raw
	from   int // behind what the template has
	made   *Template
	faults []sdk.Fault
}

func (w *walker) value(path string, depth int) {
	switch w.skip(); w.raw[w.at] {
	case '{':
		for w.at++; w.more('}'); {
			var name string
			_ = json.Unmarshal(w.word(), &name) // it is a string: the JSON is right
			w.skip()
			w.at++ // the colon
			w.value(path+sdk.FieldPath(name), depth+1)
		}
	case '[':
		w.at++
		for i := 0; w.more(']'); i++ {
			w.value(path+"["+strconv.Itoa(i)+"]", depth+1)
		}
	case '"':
		start := w.at
		w.found(path, start, w.word(), depth)
	default:
		for w.at < len(w.raw) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(w.raw[w.at])) {
			w.at++
		}
	}
}

// skip goes to what comes after white space.
func (w *walker) skip() {
	for w.at < len(w.raw) && strings.IndexByte(" \t\r\n", w.raw[w.at]) >= 0 {
		w.at++
	}
}

// more goes to the next element, or behind the end of them all.
func (w *walker) more(end byte) bool {
	w.skip()
	if w.raw[w.at] == ',' {
		w.at++
		w.skip()
	}
	if w.raw[w.at] == end {
		w.at++
		return false
	}
	return true
}

// word goes behind a string, and answers it with its quotes.
func (w *walker) word() []byte {
	start := w.at
	for w.at++; w.raw[w.at] != '"'; w.at++ {
		if w.raw[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.raw[start:w.at]
}

// found compiles a string, if it holds expressions.
func (w *walker) found(path string, start int, word []byte, depth int) {
	var s string
	if json.Unmarshal(word, &s) != nil || !strings.Contains(s, opens) {
		return
	}
	pieces, err := cut(s)
	if err != nil {
		w.faults = append(w.faults, sdk.Fault{Path: path, Message: err.Error()})
		return
	}
	made := &phrase{path: path}
	for _, p := range pieces {
		if !p.expression {
			made.pieces = append(made.pieces, compiled{words: p.words})
			continue
		}
		program, err := w.env.compile(p.source)
		if err != nil {
			w.faults = append(w.faults, sdk.Fault{Path: path, Message: message(err, p.source, len(pieces) > 1)})
			continue
		}
		made.pieces = append(made.pieces, compiled{program: program})
		w.made.reads.add(program.reads)
	}
	w.made.parts = append(w.made.parts, part{raw: w.raw[w.from:start], text: made, depth: depth})
	w.from = w.at
}

// message is that of a fault; of several pieces it says which one is meant.
func message(err error, source string, several bool) string {
	if !several {
		return err.Error()
	}
	return fmt.Sprintf("%v (in ${{ %s }})", err, sdk.Cut(strings.TrimSpace(source), maxQuoted))
}

package redact

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// JSON is raw with [Marker] in the place of each secret in its strings, the names of fields among them, and of every string that is the value
// of a field such as password or api_key. Everything else stays as it is, byte by byte; a number keeps its digits. JSON stays JSON. What is no
// JSON is taken for text.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage { return r.JSONBut(raw, nil) }

// Stays answers the parts of a string that stay as they are, in order, from and to. secret tells of a text whether it would be a secret in the
// string's place whatever it looks like, as under the name password.
type Stays func(text string, secret func(string) bool) [][2]int

// JSONBut is as [Redactor.JSON], but leaves parts of a string as they are; of a secret that such a part is in, what is beside it is
// redacted where words before it show it, as with the password of a URL. Names of fields, and what is no JSON, have no such parts. nil is none.
func (r *Redactor) JSONBut(raw json.RawMessage, stays Stays) json.RawMessage {
	if r == nil || len(raw) == 0 {
		return raw
	}
	if !json.Valid(raw) {
		return json.RawMessage(r.String(string(raw)))
	}
	e, at := edit{raw: raw}, &place{}
	for i := 0; i < len(raw); {
		if raw[i] != '"' {
			at.pass(raw[i])
			i++
			continue
		}
		end := stringEnd(raw, i)
		text := decode(raw[i:end])
		switch {
		case isKey(raw[end:]):
			at.key(text)
			if clean := r.String(text); clean != text {
				e.replace(i, end, e.unusedKey(clean))
			}
		default:
			clean := r.around(text, stays, at)
			if !at.isSecret(text) {
				at.say(text)
			}
			if clean != text {
				e.replace(i, end, clean)
			}
		}
		i = end
	}
	return e.done()
}

// around is a string that is a value here, redacted but for what stays of it.
func (r *Redactor) around(text string, stays Stays, at *place) string {
	clean := func(part string) string {
		if at.isSecret(part) {
			return Marker
		}
		return r.String(part)
	}
	var kept [][2]int
	if stays != nil {
		kept = stays(text, at.isSecret)
	}
	if len(kept) == 0 {
		return clean(text)
	}
	var b strings.Builder
	words := r.between(text, kept)
	for i, k := range kept {
		b.WriteString(clean(words[i]))
		b.WriteString(text[k[0]:k[1]])
	}
	b.WriteString(clean(words[len(kept)]))
	return b.String()
}

// stringEnd is the end of the string that begins at i of valid JSON.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isKey reports whether a string that is followed by rest names a field.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// decode is what a JSON string says.
func decode(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil { // a part of valid JSON is valid
		return ""
	}
	return s
}

// edit is a copy of JSON with other strings. Nothing is copied before the first.
type edit struct {
	raw    []byte
	out    []byte
	copied int             // how much of raw is in out
	keys   map[string]bool // every name of a field there is
	last   map[string]int  // numbers given to a name so far
}

func (e *edit) replace(from, to int, text string) {
	e.out = append(e.out, e.raw[e.copied:from]...)
	e.out = append(e.out, quote(text)...)
	e.copied = to
}

// unusedKey is a name for a field, with a number where that is taken: no two fields become one. A number is tried once for a name.
func (e *edit) unusedKey(name string) string {
	if e.keys == nil {
		e.keys, e.last = keysOf(e.raw), map[string]int{}
	}
	unused := name
	for e.keys[unused] {
		e.last[name]++
		unused = name + " " + strconv.Itoa(e.last[name]+1)
	}
	e.keys[unused] = true
	return unused
}

func (e *edit) done() json.RawMessage {
	if e.copied == 0 {
		return e.raw
	}
	return append(e.out, e.raw[e.copied:]...)
}

// keysOf are the names of all fields, at whatever depth.
func keysOf(raw []byte) map[string]bool {
	keys := map[string]bool{}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := stringEnd(raw, i)
		if isKey(raw[end:]) {
			keys[decode(raw[i:end])] = true
		}
		i = end - 1
	}
	return keys
}

// quote is s as a JSON string.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can always be written
	return bytes.TrimSpace(b.Bytes())
}

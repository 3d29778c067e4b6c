package pi

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// resume is what an attempt leaves to the next one.
type resume struct {
	Session string `json:"session"`
}

// maxHead bounds the first line of a conversation's file.
const maxHead = 64 << 10

var sessionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,127}$`)

// validSession reports whether id can be the id of a conversation, and so a part of a file's name.
func validSession(id string) bool { return sessionPattern.MatchString(id) }

// sessionFile finds the file of the conversation that an earlier attempt left, or answers "" when there is none to go on with.
// pi names it <time>_<id>.jsonl.
func sessionFile(dir string, left json.RawMessage) string {
	var r resume
	if json.Unmarshal(left, &r) != nil || !validSession(r.Session) {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(globEscape(dir), "*_"+r.Session+".jsonl"))
	if err != nil || len(found) == 0 || !begins(found[len(found)-1]) {
		return ""
	}
	return found[len(found)-1]
}

// begins reports whether a file begins as that of a conversation: pi ends at once when it is to go on with another.
func begins(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it must not wait for the writer of a named pipe
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	var head struct{ Type string }
	return json.NewDecoder(io.LimitReader(f, maxHead)).Decode(&head) == nil && head.Type == eventSession
}

var globMeta = regexp.MustCompile(`[\\*?\[]`)

// globEscape makes a path stand for itself in a pattern.
func globEscape(path string) string { return globMeta.ReplaceAllString(path, `\$0`) }

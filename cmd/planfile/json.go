package planfile

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// jsonFile is a file of JSON, known to be valid, on its way to a value: strings, numbers as they are written, lists and objects.
type jsonFile struct {
	*document
	raw  []byte
	in   *json.Decoder
	read int   // how much of raw at is after
	at   place // of the byte at read
}

// json reads a file of JSON, and notes where everything stands. A name that an object has twice is a fault.
func (d *document) json(raw []byte) (any, error) {
	f := jsonFile{document: d, raw: raw, in: json.NewDecoder(bytes.NewReader(raw)), at: place{1, 1}}
	f.in.UseNumber()
	return f.value("$")
}

func (f *jsonFile) value(path string) (any, error) {
	t, err := f.in.Token()
	switch t {
	case json.Delim('{'):
		return f.object(path)
	case json.Delim('['):
		return f.list(path)
	default:
		return t, err
	}
}

func (f *jsonFile) object(path string) (any, error) {
	object := map[string]any{}
	for f.in.More() {
		stands := f.next()
		t, err := f.in.Token()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(t)
		at := within(path, name)
		f.places[plain(at)] = stands
		if _, twice := object[name]; twice {
			f.fault(at, "is there twice")
		}
		if object[name], err = f.value(at); err != nil {
			return nil, err
		}
	}
	_, err := f.in.Token() // the bracket
	return object, err
}

func (f *jsonFile) list(path string) (any, error) {
	list := []any{}
	for f.in.More() {
		at := fmt.Sprintf("%s[%d]", path, len(list))
		f.places[plain(at)] = f.next()
		item, err := f.value(at)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := f.in.Token() // the bracket
	return list, err
}

// next is where the next name or value begins.
func (f *jsonFile) next() place {
	for end := int(f.in.InputOffset()); f.read < end || bytes.IndexByte([]byte(" \t\r\n,"), f.raw[f.read]) >= 0; f.read++ {
		switch c := f.raw[f.read]; {
		case c == '\n':
			f.at = place{f.at.line + 1, 1}
		case c&0xC0 != 0x80: // the first byte of a character
			f.at.column++
		}
	}
	return f.at
}

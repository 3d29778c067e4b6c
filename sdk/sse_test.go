package sdk

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	const stream = ": hello\n\n" +
		"id: 7\nevent: code.generated\ndata: {\"a\":1}\n\n" +
		":\n" +
		"event: alone\n\n" +
		"data:one\r\ndata: two\r\n\r\n" +
		"id: 8\n\n" +
		"retry: 5\nunknown\ndata\n\n" +
		"id: 9\ndata: not complete"
	want := []frame{
		{id: "7", name: "code.generated", data: []byte(`{"a":1}`)},
		{data: []byte("one\ntwo")},
		{id: "8"},
		{data: []byte{}},
	}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
	} {
		in := newFrames(r)
		var got []frame
		for {
			f, err := in.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	t.Parallel()
	largest := strings.Repeat("x", maxFrame-len("data: \n"))
	f, err := newFrames(strings.NewReader("data: " + largest + "\n\n")).next()
	if err != nil || string(f.data) != largest {
		t.Errorf("the largest line: %d bytes, %v", len(f.data), err)
	}
	half := strings.Repeat("x", maxFrame/2)
	for name, r := range map[string]io.Reader{
		"a line":        strings.NewReader("data: x" + largest + "\n\n"),
		"without end":   endless{},
		"several lines": strings.NewReader("data:" + half + "\ndata:" + half + "\ndata:x\n\n"),
	} {
		if _, err := newFrames(r).next(); !errors.Is(err, ErrPayloadTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add("id: 1\nevent: a\ndata: b\n\n")
	f.Add(":\r\n\r\ndata\n\nid\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		in := newFrames(strings.NewReader(s))
		for range len(s) + 1 {
			if _, err := in.next(); err != nil {
				return
			}
		}
		t.Error("more events than bytes")
	})
}

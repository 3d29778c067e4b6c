package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// direct is a transport that calls a handler. An answer that the handler flushes is a stream: it can be read while it goes on.
type direct struct {
	handler http.Handler
	over    context.Context // ends the streams
}

// RoundTrip implements [http.RoundTripper]. The request's context reaches the handler, with the attempt that it may be of.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.Host, in.RemoteAddr, in.RequestURI = r.URL.Host, host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, begun: make(chan struct{})}
	w.reader, w.writer = io.Pipe()
	go func() {
		defer cancel()
		unlink := context.AfterFunc(ctx, func() { _ = w.reader.CloseWithError(context.Canceled) }) // it has no other error
		end := w.streams(d.over, cancel)
		d.handler.ServeHTTP(w, in)
		end()
		unlink()
		w.finish()
	}()
	select {
	case <-w.begun:
		return w.response(r, cancel), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// answer is what a handler writes: kept until it is whole, or is flushed.
type answer struct {
	header http.Header
	status int
	kept   bytes.Buffer
	once   sync.Once
	begun  chan struct{} // closed when status, header and what is kept are final
	sent   http.Header
	reader *io.PipeReader
	writer *io.PipeWriter // of a stream, what comes after that

	flushed bool
	onFlush func()
}

// Header implements [http.ResponseWriter].
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
		w.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
}

// Write implements [http.ResponseWriter].
func (w *answer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.flushed {
		return w.writer.Write(b)
	}
	return w.kept.Write(b)
}

// Flush implements [http.Flusher]: from here on the answer is a stream.
func (w *answer) Flush() {
	w.WriteHeader(http.StatusOK)
	if !w.flushed {
		w.flushed = true
		w.onFlush()
		w.once.Do(func() { close(w.begun) })
	}
}

// streams lets the end of over end the answer, if it is a stream; call end when it has been written.
func (w *answer) streams(over context.Context, cancel func()) (end func()) {
	unlink := func() bool { return false }
	w.onFlush = func() { unlink = context.AfterFunc(over, cancel) }
	return func() { unlink() }
}

func (w *answer) finish() {
	w.WriteHeader(http.StatusOK)
	_ = w.writer.Close() // it never fails
	w.once.Do(func() { close(w.begun) })
}

// response is the answer for its caller, who ends the handler with the body.
func (w *answer) response(r *http.Request, cancel func()) *http.Response {
	resp := &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, ContentLength: -1, Request: r,
	}
	resp.Body = &answerBody{Reader: io.MultiReader(&w.kept, w.reader), close: func() error {
		cancel()
		return w.reader.Close()
	}}
	return resp
}

type answerBody struct {
	io.Reader
	close func() error
}

// Close implements [io.Closer].
func (b *answerBody) Close() error { return b.close() }

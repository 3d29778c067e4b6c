package modelserver

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen serves on a free port of this machine and answers the address that clients are given, which ends in /v1. closeServer breaks
// off what is being answered, and returns when the port is free.
func (s *Server) Listen() (url string, closeServer func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("model server: %w", err)
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Serve(l) // it ends when it is closed
	}()
	return "http://" + l.Addr().String() + "/v1", func() error {
		err := h.Close()
		<-ended
		return err
	}, nil
}

package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

// Proxy passes TCP connections on to another address, and can be told not to: what a network does to a worker that loses its way
// to Temporal.
type Proxy struct {
	target   string
	listener net.Listener
	gate     *gate
	ctx      context.Context //nolint:containedctx // ends the dials and waits of every connection with the proxy
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex
	refuse bool
	conns  map[net.Conn]struct{}
}

// NewProxy listens on a free loopback port and passes on to target until it is closed.
func NewProxy(target string) (*Proxy, error) {
	addr, err := loopback.Reserve(loopback.Host + ":0")
	if err != nil {
		return nil, fmt.Errorf("dev: proxy: %w", err)
	}
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("dev: proxy: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{target: target, listener: listener, gate: newGate(), ctx: ctx, cancel: cancel, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where to connect instead of the target.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Drop stops all traffic without a sign to either side, like a cable that was pulled out: connections stay open, new ones are
// taken, and no byte passes. After [Proxy.Restore] what was sent meanwhile arrives, as TCP would have sent it again.
func (p *Proxy) Drop() { p.gate.close() }

// Refuse breaks every connection with a reset, and each new one, like a host whose service has ended.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = true
	for c := range p.conns {
		reset(c)
	}
}

// Restore ends [Proxy.Drop] and [Proxy.Refuse].
func (p *Proxy) Restore() {
	p.mu.Lock()
	p.refuse = false
	p.mu.Unlock()
	p.gate.open()
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.cancel()
	p.Refuse()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if p.keep(conn) {
			p.wg.Go(func() { p.serve(conn) })
		}
	}
}

// keep registers a connection, or resets it when connections are refused.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		reset(conn)
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	_ = conn.Close() // it may be closed already
}

func (p *Proxy) serve(caller net.Conn) {
	defer p.forget(caller)
	if !p.gate.wait(p.ctx) {
		return
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	target, err := dialer.DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		reset(caller)
		return
	}
	if !p.keep(target) {
		return
	}
	defer p.forget(target)
	var pumps sync.WaitGroup
	pumps.Go(func() { p.pump(target, caller) })
	pumps.Go(func() { p.pump(caller, target) })
	pumps.Wait()
}

// pump copies one direction of a connection, chunk by chunk through the gate.
func (p *Proxy) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.gate.wait(p.ctx) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				reset(from)
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite() // the other direction may go on
			}
			return
		case err != nil:
			reset(to)
			return
		}
	}
}

// reset closes a connection so that the peer sees it broken, not ended.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a closed connection needs no reset
	}
	_ = conn.Close()
}

// gate lets everybody through while it is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// wait returns true when the gate is open, and false when ctx has ended before.
func (g *gate) wait(ctx context.Context) bool {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return true
	case <-ctx.Done():
		return false
	}
}

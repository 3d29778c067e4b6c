// Package loopback chooses ports for servers that open them by number and in their own time.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Host is the address that everything of the dev stack listens on.
const Host = "127.0.0.1"

// InUseError says that another program listens on an address.
type InUseError struct{ Addr string }

func (e *InUseError) Error() string { return "address in use: another program listens on " + e.Addr }

// Check spells out localhost and refuses an address that other machines could reach.
func Check(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port: %w", addr, err)
	}
	if strings.EqualFold(host, "localhost") {
		host = Host
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%q is not a loopback address: what listens there has no authentication and stays on this machine; use %s:%s", addr, Host, port)
	}
	return net.JoinHostPort(host, port), nil
}

// Names reports whether a Host header names this machine's loopback, with any port or none: localhost, 127.0.0.0/8 or [::1].
func Names(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
		if inner, ok := strings.CutPrefix(host, "["); ok {
			if name, ok = strings.CutSuffix(inner, "]"); !ok {
				return false
			}
		}
	}
	if port == "" || strings.Trim(port, "0123456789") != "" {
		return false
	}
	ip, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// Ports for "any free one" are taken from below the range that the kernel gives to outgoing connections (32768 and up on Linux,
// 49152 on others): one of those could take the port while the server that owns it is being restarted.
const (
	lowPort  = 20000
	highPort = 32000
	tries    = 100
)

// Reserve checks that an address can be listened on and settles port 0. The address is not held; a port that was chosen here is not
// chosen again, by any process of the same user that asks here, before this process has ended. Processes of several users know nothing of
// each other's choice: between them a port that nobody listens on yet may be chosen twice.
func Reserve(addr string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not host:port: %w", addr, err)
	}
	if port != "0" {
		return probe(addr)
	}
	for range tries {
		chosen := strconv.Itoa(lowPort + rand.IntN(highPort-lowPort))
		ours, err := claim(claimDir(), chosen)
		if err != nil {
			return netip.AddrPort{}, err
		}
		if !ours {
			continue
		}
		got, err := probe(net.JoinHostPort(host, chosen))
		if _, inUse := errors.AsType[*InUseError](err); !inUse {
			return got, err
		}
	}
	return probe(addr)
}

func probe(addr string) (netip.AddrPort, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return netip.AddrPort{}, &InUseError{Addr: addr}
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen on %s: %w", addr, err)
	}
	bound := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return netip.AddrPort{}, fmt.Errorf("release %s: %w", bound, err)
	}
	return netip.ParseAddrPort(bound)
}

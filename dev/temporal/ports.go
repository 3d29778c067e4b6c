package temporal

import (
	"errors"
	"net/netip"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

// AddressInUseError is returned by [Start] for an address that another program listens on.
type AddressInUseError struct {
	Addr   string
	Option string // the field of [Options] that asked for it; empty for a port that was to be any free one
}

func (e *AddressInUseError) Error() string {
	return "address in use: another program listens on " + e.Addr
}

// ports are the listeners of one server, all on loopback.
type ports struct {
	frontend, history, matching, worker, ui netip.AddrPort
}

func reservePorts(o Options) (p ports, err error) {
	anyFree := loopback.Host + ":0"
	for _, want := range []struct {
		option, addr string
		port         *netip.AddrPort
	}{
		{"FrontendAddr", o.FrontendAddr, &p.frontend},
		{"UIAddr", o.UIAddr, &p.ui},
		{"", anyFree, &p.history},
		{"", anyFree, &p.matching},
		{"", anyFree, &p.worker},
	} {
		got, err := loopback.Reserve(want.addr)
		if inUse, ok := errors.AsType[*loopback.InUseError](err); ok {
			err = &AddressInUseError{Addr: inUse.Addr, Option: want.option}
		}
		if err != nil {
			return ports{}, err
		}
		*want.port = got
	}
	return p, nil
}

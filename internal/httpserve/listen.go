package httpserve

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/mcp/httpguard"
)

// listen listens on a TCP address, if a lets clients that can reach it in.
func listen(flag, address string, a *Flags, guard httpguard.Authenticator) (listener net.Listener, loopback bool, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, false, command.Usage(fmt.Sprintf("%s %q is not host:port, such as 127.0.0.1:7070: %v", flag, address, err))
	}
	loopback = strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
	if err := a.admit(flag, address, loopback, guard); err != nil {
		return nil, false, err
	}
	listener, err = net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, false, fmt.Errorf("%s is in use, perhaps by another ingot: stop that one, or choose another port with "+
			"%s %s (port 0 takes a free one)", address, flag, net.JoinHostPort(host, "7071"))
	}
	if err != nil {
		return nil, false, fmt.Errorf("listening on %s, port %s: %w; choose another address with %s", host, port, err, flag)
	}
	// localhost is whatever the machine's tables make of it.
	if loopback && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		listener.Close()
		return nil, false, errNotLoopback
	}
	return listener, loopback, nil
}

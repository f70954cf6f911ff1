package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// listenLoopback listens on a TCP address of this machine only. There is no
// authentication yet, so an address that others can reach is refused: every
// caller may read and change the whole state.
func listenLoopback(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--listen %q is not host:port, such as 127.0.0.1:7070: %v", address, err)}
	}
	if !strings.EqualFold(host, "localhost") && !net.ParseIP(host).IsLoopback() {
		return nil, refusal(address)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use, perhaps by another ingot: stop that one, or choose another port with "+
			"--listen %s (port 0 takes a free one)", address, net.JoinHostPort(host, "7071"))
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s, port %s: %w; choose another address with --listen", host, port, err)
	}
	// localhost is whatever the machine's tables make of it.
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		listener.Close()
		return nil, refusal(address)
	}
	return listener, nil
}

func refusal(address string) error {
	return &usageError{fmt.Sprintf("--listen %s can be reached from other machines, and ingot has no authentication yet: "+
		"whoever connects could read and change everything. Use a loopback address such as 127.0.0.1:7070, "+
		"and an SSH tunnel to come from elsewhere.", address)}
}

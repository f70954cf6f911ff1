package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
)

// peer is the server that the http tools ask. It goes away and comes back.
type peer struct {
	phase
	address string

	mu     sync.Mutex
	server *http.Server
}

func newPeer() (*peer, error) {
	p := &peer{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.address = l.Addr().String()
	p.serve(l)
	return p, nil
}

func (p *peer) url() string { return "http://" + p.address }

func (p *peer) serve(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.URL.Path)
	})}
	go p.server.Serve(l) // close ends it
}

// close breaks all connections off.
func (p *peer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.server.Close()
}

// trouble takes the peer away and brings it back until ctx ends. It is there at the end.
func (p *peer) trouble(ctx context.Context, random *rand.Rand) {
	for pause(ctx, random) {
		p.down()
		p.close()
		pause(ctx, random)
		l, err := net.Listen("tcp", p.address)
		for ; err != nil && ctx.Err() == nil; l, err = net.Listen("tcp", p.address) {
			pause(ctx, random) // somebody else has the port for a moment
		}
		if err != nil {
			return
		}
		p.serve(l)
		p.up()
	}
}

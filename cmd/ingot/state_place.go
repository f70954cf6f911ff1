package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
)

// Bounds of writing to a place.
const (
	writersMax  = 32 // entries that are on their way to redis at once
	writeTries  = 5  // of an entry of which nobody knows whether it was stored
	filePrefix  = "file:"
	placeEnv    = "env:" // names an environment variable that holds a place
	placeSyntax = "a directory, file:DIRECTORY, a URL as redis://HOST, or env:NAME where the environment variable NAME holds one of these"
)

// place is where a state is: a directory or a URL.
type place struct{ dir, url string }

// placeOf reads what a command line calls a place.
func placeOf(text string) (place, error) {
	if name, ok := strings.CutPrefix(text, placeEnv); ok {
		if text = os.Getenv(name); text == "" {
			return place{}, command.Usage("the environment variable " + name + " is empty: it is to hold " + placeSyntax)
		}
	}
	if dir, ok := strings.CutPrefix(text, filePrefix); ok {
		text = strings.TrimPrefix(dir, "//")
	} else if command.IsURL(text) {
		return place{url: text}, nil
	}
	if text == "" {
		return place{}, command.Usage("a state is in " + placeSyntax)
	}
	dir, err := filepath.Abs(text)
	return place{dir: dir}, err
}

// String is the place without what is secret in its URL.
func (p place) String() string {
	if p.url == "" {
		return p.dir
	}
	scheme, rest, _ := strings.Cut(p.url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// there reports whether there is a state in a directory; of a URL it is believed.
func (p place) there() (bool, error) {
	if p.url != "" {
		return true, nil
	}
	files, err := os.ReadDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(files) > 0, err
}

// store is an open place.
type store struct {
	state.Manager
	// setAll stores items: as one change in a directory, one by one elsewhere.
	setAll func(ctx context.Context, items []state.Item) error
	close  func() error
}

// open opens the place, with the keys of an encrypted directory.
func (p place) open(ctx context.Context, keys *command.KeyFlag, log func(text string)) (*store, error) {
	if p.url != "" {
		m, err := redis.Open(ctx, redis.Options{URL: p.url, Log: log})
		if err != nil {
			return nil, err
		}
		return &store{m, func(ctx context.Context, items []state.Item) error { return setEach(ctx, m, items) }, m.Close}, nil
	}
	var o engine.Options
	dir, err := keys.OpenDir(p.dir, &o)
	if err != nil {
		return nil, err
	}
	o.Log = log
	embedded, err := engine.Open(o)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	m := state.Embed(embedded)
	setAll := func(ctx context.Context, items []state.Item) error { _, err := m.SetMany(ctx, items); return err }
	return &store{m, setAll, func() error { return errors.Join(m.Close(), dir.Close()) }}, nil
}

// setEach stores items one by one, several at once: a cluster changes no two of its
// parts as one. A write whose outcome nobody knows is made again, which does no harm.
func setEach(ctx context.Context, m state.Manager, items []state.Item) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *state.Item)
	var writers sync.WaitGroup
	for range min(writersMax, len(items)) {
		writers.Go(func() {
			for item := range next {
				var err error
				for range writeTries {
					if _, err = m.Set(ctx, item.Key, item.Value, state.SetOptions{TTL: item.TTL}); !errors.Is(err, state.ErrUncertain) {
						break
					}
				}
				if err != nil {
					cancel(fmt.Errorf("key %.80q: %w", item.Key, err)) // the first one stays
				}
			}
		})
	}
	for i := range items {
		select {
		case next <- &items[i]:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	writers.Wait()
	return context.Cause(ctx)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/state"
)

// keeperFlags say which state a command works on.
type keeperFlags struct {
	command.KeyFlag
	Data   string `env:"INGOT_DATA" placeholder:"DIR" help:"The directory of a state that nobody serves, or the URL of redis, as redis://host:6379/0: in $$INGOT_DATA if it holds a password. (default: the directory of ingot serve)"`
	Config string `placeholder:"FILE" type:"path" help:"The state of this forge.yaml instead, while nobody serves it."`
	serverFlags
}

// open opens the state. One that is only read has to be there.
func (f *keeperFlags) open(ctx context.Context, out streams, writes bool) (keeper, error) {
	given := 0
	for _, set := range []bool{f.Data != os.Getenv("INGOT_DATA"), f.Config != "", f.URL != ""} {
		if set {
			given++
		}
	}
	if given > 1 {
		return nil, command.Usage("--data, --config and --url exclude each other")
	}
	if len(f.Key) > 0 && (f.Config != "" || f.URL != "" || command.IsURL(f.Data)) {
		return nil, command.Usage("--key-file is for a directory")
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	k, err := f.openOne(ctx, out, writes)
	if command.Locked(err) || errors.Is(err, state.ErrLocked) {
		err = fmt.Errorf("%w\nAsk the server that has it, if it serves HTTP: --url http://127.0.0.1:7070", err)
	}
	return k, err
}

func (f *keeperFlags) openOne(ctx context.Context, out streams, writes bool) (keeper, error) {
	switch {
	case f.URL != "":
		client, err := f.dial(ctx, mcpclient.Options{Version: command.Version()})
		if err != nil {
			return nil, err
		}
		if err := hasStateTools(ctx, client); err != nil {
			return nil, errors.Join(err, client.Close())
		}
		return &remote{client}, nil
	case f.Config != "":
		return f.openFile(ctx, out)
	case command.IsURL(f.Data):
		return f.openShared(ctx, out)
	default:
		return f.openDirectory(out, writes)
	}
}

// hasStateTools finds out whether a server is one of ingot serve, or one like it.
func hasStateTools(ctx context.Context, client *mcpclient.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("the server does not list its tools within %v", askTimeout))
	defer cancel()
	tools, err := client.Tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if t.Name == "state_get" {
			return nil
		}
	}
	return fmt.Errorf("the server %q has no tools state_*, so that its state is not to be had from outside: end it, and use --data or --config", command.PlainLine(client.Server().Name))
}

// openFile opens the state that a forge.yaml says.
func (f *keeperFlags) openFile(ctx context.Context, out streams) (keeper, error) {
	c, err := config.Load(f.Config, config.Options{})
	if err != nil {
		return nil, err
	}
	if c.State.Backend == config.BackendMemory {
		return nil, fmt.Errorf("the state of %s is in memory, and ends with the process that serves it: ask that one with --url, or give the file a state with backend: file", f.Config)
	}
	m, err := forge.OpenState(ctx, c, false, func(text string) { fmt.Fprintln(out.stderr, text) })
	if err != nil {
		return nil, err
	}
	return &local{state.Public(m), m.Close}, nil
}

// openShared opens a state that redis keeps, whether servers stand on it or not.
func (f *keeperFlags) openShared(ctx context.Context, out streams) (keeper, error) {
	s, err := place{url: f.Data}.open(ctx, nil, func(text string) { fmt.Fprintln(out.stderr, text) })
	if err != nil {
		return nil, err
	}
	return &shared{local{state.Public(s.Manager), s.close}}, nil
}

// openDirectory opens the store in a directory.
func (f *keeperFlags) openDirectory(out streams, writes bool) (keeper, error) {
	path := f.Data
	if path == "" {
		var err error
		if path, err = command.DefaultData("serve"); err != nil {
			return nil, err
		}
	}
	if files, err := os.ReadDir(path); !writes && (errors.Is(err, fs.ErrNotExist) || err == nil && len(files) == 0) {
		return nil, fmt.Errorf("there is no state in %s: name its directory with --data, or a running server with --url", path)
	}
	var o engine.Options
	dir, err := f.OpenDir(path, &o)
	if err != nil {
		return nil, err
	}
	o.BackgroundDisabled = true
	o.Log = func(text string) { fmt.Fprintln(out.stderr, text) }
	store, err := engine.Open(o)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &local{state.Public(state.Embed(store)), func() error { return errors.Join(store.Close(), dir.Close()) }}, nil
}

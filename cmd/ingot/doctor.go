package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// doctorCommand is "ingot doctor". It takes the flags of "ingot serve".
type doctorCommand struct {
	Listen string `placeholder:"HOST:PORT" help:"Address that the server is to listen on. (127.0.0.1:7070, or what the forge.yaml says)"`
	Config string `placeholder:"FILE" type:"path" help:"The forge.yaml that is to be served."`
	httpserve.Flags
	command.StoreFlags
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help ends "ingot doctor --help".
func (*doctorCommand) Help() string {
	return `It takes the flags of "ingot serve" and looks whether a server with them would do well here: configuration and modules, the directory of the state with its contents, disk, clock, memory, open files, address, certificate, token and key files, and redis where the state is there. Each finding is a line: ok, warn or fail, and how to mend it. With a fail the exit code is 1. It shows no secret, and changes nothing but for a file in the directory of the state that it writes, syncs and removes. Contents of more than 1 GiB are not read: "ingot state verify" does.

Examples:

  ingot doctor --config forge.yaml --json
  ingot doctor --data data --listen 127.0.0.1:0
  (umask 077; openssl rand -hex 32 > token) && ingot doctor --data data --token-file token --listen 0.0.0.0:0`
}

// The outcomes of a check.
const (
	outcomeOK   = "ok"
	outcomeWarn = "warn" // it serves, and somebody should know
	outcomeFail = "fail" // it does not serve, or not safely
)

// finding is what a check found.
type finding struct {
	Check   string `json:"check"`
	Outcome string `json:"outcome"`
	Message string `json:"message"`
	Mend    string `json:"mend,omitempty"`
}

// examination is a doctor's visit.
type examination struct {
	*doctorCommand
	config   *config.Config // nil: none, or it cannot be read
	held     bool           // another process has the state: a server runs
	Findings []finding
}

func (e *examination) ok(check, format string, args ...any) {
	e.Findings = append(e.Findings, finding{check, outcomeOK, fmt.Sprintf(format, args...), ""})
}

func (e *examination) warn(check, mend, format string, args ...any) {
	e.Findings = append(e.Findings, finding{check, outcomeWarn, fmt.Sprintf(format, args...), mend})
}

func (e *examination) fail(check, mend, format string, args ...any) {
	e.Findings = append(e.Findings, finding{check, outcomeFail, fmt.Sprintf(format, args...), mend})
}

// Run looks at everything and says what it found.
func (c *doctorCommand) Run(ctx context.Context, out streams) error {
	if c.Config != "" && c.StoreFlags.Given() {
		return command.Usage("--config does not go with --data, --memory, --sync, --max-bytes or --key-file: the file says where its state is, and how it is kept")
	}
	e := &examination{doctorCommand: c}
	e.configuration(ctx)
	e.state(ctx)
	e.clock()
	e.memory()
	e.openFiles()
	e.address()
	e.certificate()
	e.tokenFile()
	e.keyFiles()
	e.moduleCache()
	return e.tell(out.stdout)
}

// listens is the address of the server, or nothing when it speaks over stdio.
func (e *examination) listens() string {
	if e.config == nil {
		return cmp.Or(e.Listen, addressDefault)
	}
	meta := e.config.Forge
	if meta.Transport == config.TransportStdio {
		return e.Listen
	}
	return cmp.Or(e.Listen, net.JoinHostPort(meta.Host, strconv.Itoa(meta.Port)))
}

var errUnwell = errors.New("the doctor found what has to be mended first")

// tell prints the findings, and returns errUnwell when one is a fail.
func (e *examination) tell(w io.Writer) (err error) {
	counts := map[string]int{}
	for _, f := range e.Findings {
		counts[f.Outcome]++
	}
	if e.JSON {
		err = writeJSON(w, map[string]any{"ok": counts[outcomeFail] == 0, "checks": e.Findings})
	} else {
		err = e.lines(w, counts)
	}
	if err == nil && counts[outcomeFail] > 0 {
		err = errUnwell
	}
	return err
}

func (e *examination) lines(w io.Writer, counts map[string]int) error {
	for _, f := range e.Findings {
		line := fmt.Sprintf("%-4s  %-13s  %s\n", f.Outcome, f.Check, command.PlainLine(f.Message))
		if f.Mend != "" {
			line += fmt.Sprintf("%-4s  %-13s  -> %s\n", "", "", command.PlainLine(f.Mend))
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d ok, %d to know, %d to mend\n", counts[outcomeOK], counts[outcomeWarn], counts[outcomeFail])
	return err
}

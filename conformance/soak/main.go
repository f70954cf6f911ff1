package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are what the command line says.
type options struct {
	duration time.Duration
	clients  int
	ingot    string // the program under test
	redis    string // redis-server; empty is no site on Redis
	seed     uint64
}

// run parses the command line, and returns the exit code: 1 when something was lost,
// wrong or left behind, 2 for a command line that cannot be used.
func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.duration, "duration", 10*time.Minute, "how long the clients call")
	flags.IntVar(&o.clients, "clients", 6, "how many clients call each site at once")
	flags.StringVar(&o.ingot, "ingot", "bin/ingot", "the program to be tried")
	flags.StringVar(&o.redis, "redis", "redis-server", "the Redis server for a second site; empty for none")
	flags.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of what happens when")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if o.duration <= 0 || o.clients <= 0 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "soak: -duration and -clients are above 0, and nothing follows the flags")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := soak(ctx, o, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "soak:", err)
		return 1
	}
	report.print(stdout)
	if len(report.faults) > 0 {
		return 1
	}
	return 0
}

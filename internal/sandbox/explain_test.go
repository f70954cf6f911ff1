package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExplainNothing(t *testing.T) {
	may, mayNot := Policy{}.Explain()
	require.Equal(t, []string{
		"compute for 2s and burn 10000000000 units of fuel, then it is stopped; 4 calls at once, 1024 more may wait",
		"hold 64 MiB of memory and 1048576 table elements",
		"read 4 MiB of arguments (a command: 4 MiB on stdin) and return 1 MiB",
		"log 256 lines, 64 KiB",
		"see a virtual clock: 1970 at the start of each call, a sleep takes no time",
		"read random bytes from the operating system",
	}, may)
	require.Equal(t, []string{
		"keep anything in memory from one call to the next", "read or write state", "open files or folders", "reach any network", "see environment variables",
		"see arguments of the command line, standard input of the host, other environment variables, or other tools", "open sockets, start programs, or reach devices",
	}, mayNot)
}

func TestExplainGrants(t *testing.T) {
	may, mayNot := Policy{
		Limits:    Limits{TimeMax: time.Minute, IdleTimeMax: time.Hour, HTTPTimeMax: time.Second},
		Isolation: IsolationSession, Clock: ClockReal, RandomSeed: []byte("x"),
		State: []StateGrant{{Prefix: "a/", Write: true, BytesMax: 1000, OpsMax: 7}, {Prefix: ""}},
		Files: []FileGrant{{Guest: "/data", Root: "/srv/data"}, {Guest: "/work", Root: "/srv/work", Write: true}},
		HTTP:  []HTTPGrant{{Host: "api.example.org"}, {Host: "*", Methods: []string{"POST"}, Private: true, Headers: []string{"Api-Key"}}},
		Env:   map[string]string{"TOKEN": "secret", "LANG": "C"}, Config: map[string]string{"units": "secret"},
	}.Explain()
	said := strings.Join(append(may, mayNot...), "\n")
	for _, part := range []string{
		"compute for 1m0s", "real clock", "seeded", "from one call of a session to the next, for 1h0m0s", "the memory of other sessions",
		`read and write state under keys that begin with "a/": 7 operations, 1000 bytes`, "read state under all keys: 1000 operations, 4 MiB",
		"read what is in /srv/data, which it sees at /data", "read and change what is in /srv/work, which it sees at /work: 16 MiB", "have 32 files open",
		"send GET, HEAD requests to api.example.org", "send POST requests to any host, also on this machine and in private networks, with the headers Api-Key",
		"send 16 requests of 1 MiB, with answers of 4 MiB, each within 1s", "see the environment variables LANG, TOKEN", "read the configuration values units",
	} {
		require.Contains(t, said, part)
	}
	require.NotContains(t, said, "secret")
	may, _ = Policy{Isolation: IsolationShared}.Explain()
	require.Contains(t, strings.Join(may, "\n"), "keep memory from any call to any other")
}

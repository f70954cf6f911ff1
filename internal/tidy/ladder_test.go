package tidy

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/ingot-run/ingot"

// ladder says which packages of this module each package may import. The key is
// a path below the module; one that ends in /... holds for all below it. What is
// not listed may import nothing of the module.
var ladder = map[string][]string{
	"hash":                  {},
	"internal/invariant":    {},
	"internal/message":      {},
	"engine":                {"hash", "internal/invariant", "internal/message", "engine/storage"},
	"engine/enginetest":     {"engine"},
	"engine/crashtest":      {"engine", "engine/storage", "engine/storage/simdir"},
	"engine/storage":        {"internal/message"},
	"engine/storage/simdir": {"engine/storage"},
	"engine/storage/timed":  {"engine/storage"},
	"engine/seal":           {"engine"},
	"state":                 {"engine", "engine/storage"},
	"state/redis":           {"state"},
	"state/statetest":       {"state"},
	"internal/redistest":    {},
	"mcp":                   {"mcp/seal"},
	"mcp/seal":              {},
	"mcp/httpguard":         {},
	"mcp/internal/wire":     {},
	"mcp/internal/wiretest": {"mcp", "mcp/httpguard"},
	"mcp/inmemory":          {"mcp"},
	"mcp/oauth":             {"mcp/httpguard"},
	"mcp/sse":               {"mcp", "mcp/httpguard", "mcp/internal/wire"},
	"mcp/streamable":        {"mcp", "mcp/httpguard", "mcp/internal/wire"},
	"mcp/websocket":         {"mcp", "mcp/httpguard"},
	"internal/schema":       {},
	"internal/statetools":   {"state", "mcp"},
	"internal/fleet":        {"state", "mcp", "mcp/seal"},
	"internal/netguard":     {},
	"internal/mcpclient":    {"mcp", "mcp/inmemory"},
	"internal/toolargs":     {"internal/yamlfile"},
	"internal/sandbox":      {"internal/trace", "hash", "internal/netguard", "internal/sandbox/meter", "internal/sandbox/signature", "internal/schema", "state"},
	"internal/sandbox/...":  {"internal/sandbox"},
	"internal/backup":       {"engine", "engine/storage", "hash"},
	"internal/command":      {"internal/trace", "engine", "engine/storage", "engine/storage/timed", "engine/seal", "hash"},
	"internal/grants":       {"internal/yamlfile", "internal/netguard", "internal/sandbox", "internal/sandbox/signature"},
	"internal/guesttest":    {"internal/sandbox", "internal/schema", "state"},
	"internal/health":       {},
	"internal/trace":        {},
	"internal/otlptest":     {},
	"internal/telemetry":    {"forge/middleware", "internal/trace", "mcp", "state"},
	"internal/access":       {"mcp", "mcp/httpguard", "mcp/oauth", "state"},
	"internal/audit":        {"internal/access", "mcp"},
	"internal/metrics":      {"engine", "engine/storage", "engine/storage/timed", "internal/command", "internal/health", "mcp", "state", "forge/fault", "forge/middleware", "internal/sandbox"},
	"internal/wasmtools":    {"mcp", "internal/grants", "internal/sandbox", "internal/sandbox/signature", "internal/schema"},
	"forge/config":          {"forge/expression", "forge/template", "mcp", "internal/grants", "internal/netguard", "internal/schema", "internal/yamlfile", "internal/access", "internal/audit"},
	"internal/yamlfile":     {},
	"forge/template":        {},
	"forge/fault":           {"mcp"},
	"forge/backoff":         {},
	"forge/expression":      {"forge/fault", "forge/template"},
	"forge/middleware":      {"internal/trace", "mcp", "forge/backoff", "forge/config", "forge/fault", "internal/schema"},
	"forge/pipeline":        {"internal/trace", "mcp", "forge/config", "forge/expression", "forge/fault", "forge/template"},
	"forge/httptool":        {"internal/trace", "mcp", "forge/backoff", "forge/config", "forge/fault", "forge/template", "internal/netguard"},
	"forge/resource":        {"mcp", "state", "forge/config", "forge/expression", "forge/fault", "forge/httptool", "forge/template"},
	"forge/clitool":         {"internal/trace", "mcp", "forge/config", "forge/fault", "forge/template"},
	"forge/check":           {"forge", "forge/config", "internal/mcpclient"},
	"forge":                 {"internal/command", "internal/telemetry", "engine", "engine/storage", "engine/storage/timed", "forge/clitool", "forge/config", "forge/expression", "forge/fault", "forge/httptool", "forge/middleware", "forge/pipeline", "forge/resource", "forge/template", "mcp", "state", "state/redis", "internal/fleet", "internal/grants", "internal/health", "internal/metrics", "internal/sandbox", "internal/schema", "internal/wasmtools", "internal/yamlfile", "internal/access", "internal/audit"},
	"forge/program":         {"forge", "forge/check", "forge/config", "internal/command", "internal/httpserve", "internal/access"},
	"internal/builder":      {"forge", "forge/config", "forge/program", "internal/command", "internal/yamlfile"},
	"wasm":                  {"engine", "engine/storage"},
	"wasm/mcp":              {"internal/statetools", "mcp", "mcp/seal", "state", "wasm/mcp/hoststate"},
	"wasm/mcp/hoststate":    {"engine", "state"},
	"js":                    {},
	"web":                   {"js"},
	"internal/httpserve":    {"internal/health", "internal/metrics", "internal/telemetry", "mcp", "mcp/httpguard", "mcp/oauth", "mcp/sse", "mcp/streamable", "mcp/websocket", "internal/command", "internal/access"},
	"cmd/ingot":             {"internal/telemetry", "engine", "engine/storage", "hash", "mcp", "mcp/httpguard", "state", "state/redis", "internal/fleet", "forge", "forge/config", "forge/middleware", "forge/program", "guest", "internal/backup", "internal/builder", "internal/command", "internal/health", "internal/httpserve", "internal/guesttest", "internal/metrics", "internal/sandbox/signature", "internal/statetools", "js", "web", "forge/check", "internal/mcpclient", "internal/toolargs", "internal/yamlfile", "internal/access", "internal/audit"},
	"cmd/mcp-stdio":         {"engine", "mcp", "mcp/seal", "state", "internal/command", "internal/statetools"},
	"cmd/wasm-host":         {"mcp", "state", "internal/command", "internal/grants", "internal/httpserve", "internal/metrics", "internal/sandbox", "internal/sandbox/signature", "internal/schema", "internal/wasmtools"},
	"guest":                 {},
	"guest/go":              {},
	"guest/examples/...":    {"guest/go"},
	"internal/golden":       {},
	"internal/tidy":         {},
	"internal/testall":      {},
	"internal/release":      {},
	"conformance":           {"engine"},
	"conformance/soak":      {},
	"examples/...":          {"forge"},
	"examples/everything":   {"mcp", "mcp/sse", "mcp/streamable", "mcp/websocket"},
}

// reserved are modules outside this one that only some packages may import.
var reserved = map[string][]string{
	"github.com/tetratelabs/wazero":     {"internal/sandbox"},
	"github.com/coder/websocket":        {"mcp/websocket"},
	"github.com/go-jose/go-jose/v4":     {"mcp/oauth"},
	"github.com/redis/rueidis":          {"state/redis"},
	"github.com/prometheus":             {"internal/metrics"},
	"go.opentelemetry.io":               {"internal/telemetry", "internal/otlptest"},
	"github.com/zeebo/xxh3":             {}, // the oracle of hash's tests, and a peer
	"github.com/alphadose/haxmap":       {},
	"github.com/stretchr/testify":       suites,
	"pgregory.net/rapid":                suites,
	"github.com/anishathalye/porcupine": suites,
}

// suites are packages of tests that others run.
var suites = []string{"engine/enginetest", "state/statetest", "internal/golden", "mcp/internal/wiretest"}

type listedPackage struct {
	ImportPath string
	Imports    []string
	Doc        string
	GoFiles    []string
}

// listPackages asks the go command for all packages as GOOS and GOARCH see them.
func listPackages(t *testing.T, goos, goarch string) (packages []listedPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Doc,GoFiles", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		if len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
}

var platforms = [][2]string{{"linux", "amd64"}, {"js", "wasm"}, {"wasip1", "wasm"}}

func TestImportsPointDown(t *testing.T) {
	for _, platform := range platforms {
		packages := listPackages(t, platform[0], platform[1])
		require.Greater(t, len(packages), 5)
		for _, p := range packages {
			for _, imported := range p.Imports {
				if problem := judge(strings.TrimPrefix(p.ImportPath, module+"/"), imported); problem != "" {
					t.Errorf("%s: %s imports %s: %s", platform[0], p.ImportPath, imported, problem)
				}
			}
		}
	}
}

// judge says what is wrong with an import, or nothing.
func judge(importer, imported string) string {
	for prefix, owners := range reserved {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(owners, importer) {
			return "only " + strings.Join(owners, ", ") + " and tests may"
		}
	}
	below, own := strings.CutPrefix(imported, module+"/")
	if !own {
		return ""
	}
	allowed, ok := ladder[importer]
	for dir := importer; !ok && strings.Contains(dir, "/"); {
		dir = dir[:strings.LastIndexByte(dir, '/')]
		allowed, ok = ladder[dir+"/..."]
	}
	if !ok {
		return "the ladder does not list the importer"
	}
	for _, a := range allowed {
		if a == below {
			return ""
		}
	}
	return "the ladder does not allow it"
}

func TestJudge(t *testing.T) {
	require.Empty(t, judge("engine", module+"/hash"))
	require.Empty(t, judge("engine", "fmt"))
	require.NotEmpty(t, judge("hash", module+"/engine"))
	require.NotEmpty(t, judge("mcp", module+"/engine"))
	require.NotEmpty(t, judge("unlisted", module+"/engine"))
	require.NotEmpty(t, judge("mcp", "github.com/tetratelabs/wazero/api"))
	require.Empty(t, judge("internal/sandbox", "github.com/tetratelabs/wazero/api"))
	require.Empty(t, judge("guest/examples/x", module+"/guest/go"))
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, platform := range platforms {
		for _, p := range listPackages(t, platform[0], platform[1]) {
			if len(p.Doc) < 40 {
				t.Errorf("%s: package %s has no doc comment, or too short a one: %q", platform[0], p.ImportPath, p.Doc)
			}
		}
	}
}

package main

import (
	"os/exec"
	"strings"
	"sync"
)

// lints read the code without running it. Their programs are those of .ci/lint.mod, at
// its exact versions: go.mod has what ingot needs, and no more.
func lints() []suite {
	const lint = "go tool -modfile=.ci/lint.mod "
	return []suite{
		{name: "staticcheck", what: "what staticcheck finds, tests included", command: []string{"sh", "-c", lint + "staticcheck ./..."}},
		{
			name: "govulncheck", what: "calls of what is known to be vulnerable, in the commands and all that they use",
			command: []string{"sh", "-c", lint + "govulncheck ./cmd/..."},
			// It exits with 3 when it finds something, and says so otherwise.
			unchecked: map[string]string{"fetching vulnerabilities": "its database (vuln.go.dev, or $GOVULNDB) is unreachable: not checked"},
		},
		cross(),
	}
}

// crossPlatforms are where ingot is built for beside what the tests run on. A release has
// more processors; the code differs by system.
var crossPlatforms = []string{"windows/amd64", "darwin/arm64", "freebsd/amd64"}

// cross compiles and vets everything, tests too, for systems that no test runs on.
func cross() suite {
	script := `for target in ` + strings.Join(crossPlatforms, " ") + `; do
	GOOS=${target%/*} GOARCH=${target#*/} CGO_ENABLED=0 go vet ./... || { echo "above: $target"; exit 1; }
done`
	return suite{name: "cross", what: "everything compiles and is vetted for " + strings.Join(crossPlatforms, ", "), command: []string{"sh", "-c", script}}
}

// goRoot is the folder of Go itself, as the go command says; empty where it cannot.
var goRoot = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

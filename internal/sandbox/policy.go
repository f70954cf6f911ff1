package sandbox

import (
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/netguard"
)

// Policy is what one module may have and do. The zero value grants nothing
// beyond computing within the default limits. What is not granted is refused,
// and the refusal names the grant that is missing, as the package grants has it
// in YAML.
type Policy struct {
	// Limits bound what a call may take; zero fields get their default.
	Limits Limits
	// Isolation says which calls may share an instance.
	Isolation Isolation
	// Clock is which time the guest sees.
	Clock Clock
	// RandomSeed makes the guest's random source repeatable: each instance then
	// reads the same bytes. Nil: the operating system's random source.
	RandomSeed []byte
	// State are the keys that the guest reaches in [Options].State. Where prefixes
	// overlap, the longest that fits a key decides.
	State []StateGrant
	// Files are the folders that the guest sees.
	Files []FileGrant
	// HTTP are the hosts that the guest may send requests to; one grant that
	// allows a request is enough.
	HTTP []HTTPGrant
	// Env are the guest's environment variables, all of them.
	Env map[string]string
	// Config is what an Extism guest reads with config_get.
	Config map[string]string
	// SHA256 is the digest, in hex, that the module's file must have; empty: any.
	SHA256 string
	// PublicKey is whose signature the module must have; nil: nobody's.
	PublicKey ed25519.PublicKey
	// Signature is the content of the module's signature file, as the package
	// signature writes it. It is looked at only with a PublicKey.
	Signature []byte
}

// StateGrant lets a guest reach the keys that begin with a prefix.
type StateGrant struct {
	// Prefix begins all keys of the grant; empty: all keys of the store.
	Prefix string
	// Write lets it change them too.
	Write bool
	// BytesMax bounds the keys and values that one call reads and writes; 0: 4 MiB.
	BytesMax uint64
	// OpsMax bounds the operations of one call; 0: 1,000.
	OpsMax uint64
}

// FileGrant lets a guest see a folder of the host.
type FileGrant struct {
	// Guest is the path that the guest sees it at, as "/data".
	Guest string
	// Root is the folder on the host. No link, "..", rename or race leads out of it.
	Root string
	// Write lets it change what is inside.
	Write bool
	// BytesMax bounds by how much one call may make files longer; each new file,
	// folder or link counts 4 KiB. 0: 16 MiB.
	BytesMax uint64
}

// HTTPGrant lets a guest send requests to a host.
type HTTPGrant struct {
	// Host is a name, "*.example.org", an address or "*", with ":port" if it is not
	// the scheme's own; see [netguard.Rule].
	Host string
	// Methods are in capitals; none: GET and HEAD.
	Methods []string
	// Private lets the host be on this machine or in a private network.
	Private bool
	// Headers are request headers that the guest may set beside the usual ones.
	Headers []string
}

// Isolation says which calls may share an instance, and with it what a guest
// keeps in its memory.
type Isolation int

const (
	// IsolationCall gives each call an instance that looks fresh.
	IsolationCall Isolation = iota
	// IsolationSession lets the calls of one session share an instance.
	IsolationSession
	// IsolationShared lets all calls share instances.
	IsolationShared
)

// isolationNames are what files and reports use.
var isolationNames = []string{IsolationCall: "call", IsolationSession: "session", IsolationShared: "shared"}

// String is the name that files and reports use.
func (i Isolation) String() string {
	if int(i) < len(isolationNames) && i >= 0 {
		return isolationNames[i]
	}
	return fmt.Sprintf("Isolation(%d)", int(i))
}

// Clock is which time a guest sees.
type Clock int

const (
	// ClockVirtual starts at 1970-01-01T00:00:00Z in each instance, gains a
	// microsecond at each reading, and jumps when the guest sleeps: a sleep
	// takes no real time. The guest learns nothing about the host.
	ClockVirtual Clock = iota
	// ClockReal is the host's time. A sleeping guest waits, and is woken at its
	// deadline.
	ClockReal
)

// String is the name that flags and reports use.
func (c Clock) String() string {
	if c == ClockReal {
		return "real"
	}
	return "virtual"
}

const (
	stateBytesDefault = 4 << 20
	stateOpsDefault   = 1000
	filesBytesDefault = 16 << 20

	prefixBytesMax = 1 << 10
	grantsMax      = 256       // of each kind
	envBytesMax    = 256 << 10 // all names and values; config alike
)

// Validate says what is wrong with the policy, if anything. Folders are not looked
// at before a module is loaded.
func (p Policy) Validate() error {
	_, err := p.complete()
	return err
}

// complete checks the policy, fills in the defaults and copies what it holds.
func (p Policy) complete() (Policy, error) {
	var err error
	if p.Limits, err = p.Limits.complete(); err != nil {
		return p, err
	}
	if p.Isolation < 0 || int(p.Isolation) >= len(isolationNames) {
		return p, fmt.Errorf("isolation %d is none of %s", p.Isolation, strings.Join(isolationNames, ", "))
	}
	if p.Clock != ClockVirtual && p.Clock != ClockReal {
		return p, fmt.Errorf("clock %d is neither virtual nor real", p.Clock)
	}
	p.RandomSeed = slices.Clone(p.RandomSeed)
	if p.State, err = completeState(p.State); err != nil {
		return p, err
	}
	if p.Files, err = completeFiles(p.Files); err != nil {
		return p, err
	}
	if p.HTTP, err = completeHTTP(p.HTTP); err != nil {
		return p, err
	}
	p.Env, p.Config = maps.Clone(p.Env), maps.Clone(p.Config)
	if err := errors.Join(checkVariables("environment variable", p.Env), checkVariables("config value", p.Config)); err != nil {
		return p, err
	}
	return p, p.checkPins()
}

func completeState(grants []StateGrant) ([]StateGrant, error) {
	grants = slices.Clone(grants)
	if len(grants) > grantsMax {
		return nil, fmt.Errorf("there are %d state grants, at most %d are possible", len(grants), grantsMax)
	}
	for i := range grants {
		g := &grants[i]
		if len(g.Prefix) > prefixBytesMax {
			return nil, fmt.Errorf("a state prefix has %d bytes, at most %d are possible", len(g.Prefix), prefixBytesMax)
		}
		if slices.ContainsFunc(grants[:i], func(o StateGrant) bool { return o.Prefix == g.Prefix }) {
			return nil, fmt.Errorf("the state prefix %q is granted twice: leave one out", g.Prefix)
		}
		g.BytesMax, g.OpsMax = cmp.Or(g.BytesMax, stateBytesDefault), cmp.Or(g.OpsMax, stateOpsDefault)
	}
	return grants, nil
}

func completeFiles(grants []FileGrant) ([]FileGrant, error) {
	grants = slices.Clone(grants)
	if len(grants) > grantsMax {
		return nil, fmt.Errorf("there are %d file grants, at most %d are possible", len(grants), grantsMax)
	}
	for i := range grants {
		g := &grants[i]
		switch {
		case !strings.HasPrefix(g.Guest, "/") || path.Clean(g.Guest) != g.Guest || strings.ContainsAny(g.Guest, "\x00\\"):
			return nil, fmt.Errorf("the guest's path %q of a file grant is not an absolute path in its shortest form, as /data", g.Guest)
		case g.Root == "":
			return nil, fmt.Errorf("the file grant of %s names no folder of the host", g.Guest)
		case slices.ContainsFunc(grants[:i], func(o FileGrant) bool { return o.Guest == g.Guest }):
			return nil, fmt.Errorf("two file grants are for the guest's path %s: give one another path", g.Guest)
		}
		g.BytesMax = cmp.Or(g.BytesMax, filesBytesDefault)
	}
	return grants, nil
}

func completeHTTP(grants []HTTPGrant) ([]HTTPGrant, error) {
	grants = slices.Clone(grants)
	if len(grants) > grantsMax {
		return nil, fmt.Errorf("there are %d http grants, at most %d are possible", len(grants), grantsMax)
	}
	for i := range grants {
		g := &grants[i]
		g.Methods, g.Headers = slices.Clone(g.Methods), slices.Clone(g.Headers)
		if err := g.rule().Validate(); err != nil {
			return nil, fmt.Errorf("http grant: %w", err)
		}
	}
	return grants, nil
}

// rule is the grant as netguard takes it.
func (g HTTPGrant) rule() netguard.Rule {
	return netguard.Rule{Host: g.Host, Methods: g.Methods, Private: g.Private, Headers: g.Headers}
}

// checkVariables checks names and values that the guest reads as C strings.
func checkVariables(what string, vars map[string]string) error {
	size := 0
	for name, value := range vars {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("%s %q: a name has at least one character, and no = and no zero byte; a value has no zero byte", what, name)
		}
		size += len(name) + len(value)
	}
	if size > envBytesMax {
		return fmt.Errorf("all names and values of kind %q have %d bytes, at most %d are possible", what, size, envBytesMax)
	}
	return nil
}

// checkPins checks the form of the pins; whether a module fits them is asked by
// checkModule.
func (p *Policy) checkPins() error {
	if p.SHA256 != "" {
		p.SHA256 = strings.ToLower(strings.TrimPrefix(p.SHA256, "sha256:"))
		if b, err := hex.DecodeString(p.SHA256); err != nil || len(b) != 32 {
			return fmt.Errorf("the pinned SHA-256 %q is not 64 hexadecimal digits", clip(p.SHA256, 80))
		}
	}
	if p.PublicKey != nil && len(p.PublicKey) != ed25519.PublicKeySize {
		return fmt.Errorf("the public key has %d bytes, an ed25519 key has %d", len(p.PublicKey), ed25519.PublicKeySize)
	}
	p.PublicKey, p.Signature = slices.Clone(p.PublicKey), slices.Clone(p.Signature)
	return nil
}

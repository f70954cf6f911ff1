package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/mcp/httpguard"
)

// modesCount says whether the modes of files keep other users out.
const modesCount = runtime.GOOS != "windows"

// writtenIn is a time that is past.
var writtenIn = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// clock finds one that was never set.
func (e *examination) clock() { e.clockAt(time.Now()) }

func (e *examination) clockAt(now time.Time) {
	if now.Before(writtenIn) {
		e.fail("clock", "set it (timedatectl set-ntp true): entries with a TTL and certificates end by it", "it says %s, which is past", now.UTC().Format(time.RFC3339))
		return
	}
	e.ok("clock", "%s", now.UTC().Format(time.RFC3339))
}

// memory compares what the machine, or the control group, gives with the state's budget.
func (e *examination) memory() {
	budget := uint64(e.MaxBytes)
	if e.config != nil {
		budget = e.config.State.BytesMax
	}
	limit := memoryLimit()
	switch {
	case limit == 0:
		return // not known on this system
	case budget == 0:
		e.warn("memory", "bound it: max_bytes of the block state", "%s, and nothing bounds the state", byteText(limit))
	case budget > limit:
		e.warn("memory", "lower --max-bytes (max_bytes of a forge.yaml), or give the server more", "the state may grow to %s, and there are %s", byteText(budget), byteText(limit))
	default:
		e.ok("memory", "%s for a state of at most %s", byteText(limit), byteText(budget))
	}
}

// byteText is a size as a person reads it, such as "1.5 GiB".
func byteText(n uint64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/step, 0
	for units := "KMGTPE"; size >= step && unit < len(units)-1; unit++ {
		size /= step
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTPE"[unit])
}

// memoryLimit is the memory that there is for this process, by Linux; 0: not known.
func memoryLimit() (limit uint64) {
	text, _ := os.ReadFile("/proc/meminfo") // is only on Linux
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemTotal:")); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			if err == nil {
				limit = kib << 10
			}
		}
	}
	group, _ := os.ReadFile("/sys/fs/cgroup/memory.max") // "max": as much as there is
	if n, err := strconv.ParseUint(strings.TrimSpace(string(group)), 10, 64); err == nil && (limit == 0 || n < limit) {
		limit = n
	}
	return limit
}

// openFiles is about the limit of connections and files.
func (e *examination) openFiles() {
	switch n := openFilesMax(); {
	case n == 0:
		return // the system has no such limit
	case n < openFilesFew:
		e.warn("open files", "ulimit -n 65536, or LimitNOFILE= of the unit: each connection takes one", "%d at most", n)
	default:
		e.ok("open files", "%d at most", n)
	}
}

// address listens for a moment, where the server would.
func (e *examination) address() {
	const check = "address"
	at := e.listens()
	if at == "" {
		e.ok(check, "none: the server speaks over stdin and stdout")
		return
	}
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		e.fail(check, "write it as 127.0.0.1:7070", "%q is not host:port", at)
		return
	}
	loopback := strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
	_, token := os.LookupEnv(httpserve.TokenVariable)
	if !loopback && e.TokenFile == "" && !token && e.Issuer == "" && !e.AuthDisabled {
		e.fail(check, "give --token-file or --oauth-issuer", "other machines can reach %s, and nobody is asked who they are", at)
		return
	}
	listener, err := net.Listen("tcp", at)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && e.held:
		e.warn(check, "", "%s is in use, as is the state: a server runs", at)
	case errors.Is(err, syscall.EADDRINUSE):
		e.fail(check, "stop who has it (ss -ltnp shows them), or choose another one with --listen", "%s is in use", at)
	case err != nil:
		e.fail(check, "choose another one with --listen", "%v", err)
	default:
		listener.Close()
		e.ok(check, "%s is free", at)
	}
}

// certificate reads the files of TLS.
func (e *examination) certificate() {
	const check = "certificate"
	if e.TLSCert == "" && e.TLSKey == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(e.TLSCert, e.TLSKey)
	if err != nil {
		e.fail(check, "give the certificate with its chain and the key that belongs to it, as PEM", "%v", err)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		e.fail(check, "give another one", "%v", err)
		return
	}
	ends := leaf.NotAfter.UTC().Format(time.RFC3339)
	switch left := time.Until(leaf.NotAfter); {
	case left <= 0:
		e.fail(check, "renew it", "it ended at %s", ends)
	case time.Now().Before(leaf.NotBefore):
		e.fail(check, "look at the clock, or give another one", "it begins at %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case left < certificateSoon:
		e.warn(check, "renew it", "it ends at %s", ends)
	default:
		e.ok(check, "good until %s", ends)
	}
	e.secretFile("key of TLS", e.TLSKey)
}

// tokenFile reads the tokens, and shows none.
func (e *examination) tokenFile() {
	if e.TokenFile == "" {
		return
	}
	if _, err := httpguard.ReadTokens(e.TokenFile); err != nil {
		e.fail("token file", "openssl rand -hex 32 > "+e.TokenFile, "%v", err)
		return
	}
	e.secretFile("token file", e.TokenFile)
}

// keyFiles are about who can read the keys that encrypt the state.
func (e *examination) keyFiles() {
	for _, path := range e.Key {
		e.secretFile("key file", path)
	}
}

// secretFile is about who can read a file.
func (e *examination) secretFile(check, path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		e.fail(check, "let the user of the server read it", "%v", err)
	case info.Mode().Perm()&0o077 != 0 && modesCount:
		e.warn(check, "chmod 600 "+path, "others on this machine may read %s (mode %#o)", path, info.Mode().Perm())
	default:
		e.ok(check, "%s is its owner's alone", path)
	}
}

// moduleCacheDir is where a forge.yaml's compiled modules are kept; a test holds it to
// the sandbox's own.
func moduleCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "ingot", "wasm"), err
}

// moduleCache is about the folder of compiled modules: who can write to it can run code
// in the server.
func (e *examination) moduleCache() {
	const check = "module cache"
	if e.config == nil {
		return
	}
	dir, err := moduleCacheDir()
	if err != nil {
		e.warn(check, "set HOME or XDG_CACHE_HOME", "there is no folder for compiled modules: each start compiles them")
		return
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.ok(check, "%s is not there yet", dir)
	case err != nil:
		e.warn(check, "let the user of the server into it", "%v", err)
	case info.Mode().Perm()&0o077 != 0 && modesCount:
		e.warn(check, fmt.Sprintf("remove %s, or chmod 700 it after a look at what is in it", dir), "others can enter %s (mode %#o): it is not used", dir, info.Mode().Perm())
	default:
		e.ok(check, "%s", dir)
	}
}

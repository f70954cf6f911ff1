package forge_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

const sha256Module = "../guest/examples/c-sha256/sha256.wasm"

// explained is what the first module of the file may do, in words, and its limits.
func explained(w *world) string {
	policy := w.project.Config().Tools[0].Wasm.Policy
	may, mayNot := policy.Explain()
	return strings.Join(may, "\n") + "\nnot: " + strings.Join(mayNot, "\nnot: ") + fmt.Sprintf("\nconfig %v, limits %+v", policy.Config, policy.Limits)
}

// wasmEffects are those of modules. What the limits and grants of a policy do to a
// guest, package sandbox tests one by one: here it is seen that a file's key becomes
// that limit or grant, in the words of wasm-host explain, and for some that it bites.
func wasmEffects() []effect {
	module := func(keys string) string {
		return "tools: [{type: wasm, module: " + absolute(sha256Module) + ", " + keys + "}]"
	}
	hash := calls("sha256", `{"text":"abc"}`)
	const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	one := func(keys string, see func(*world) string, shown string, names ...string) effect {
		return effectOf(module(keys), see, shown, names...)
	}
	typed := one("timeout: 1s", hash, digest, "wasm_tool.module", "wasm_tool.type")
	typed.without = map[string]string{"wasm_tool.type": "type: wasm, "}
	all := []effect{
		typed,
		one("middleware: [{type: validation, required_fields: [other]}]", hash, `argument \"other\": is missing`, "wasm_tool.middleware"),
		one("sha256: "+strings.Repeat("0", 64), opened, "sha256", "wasm_tool.sha256"),
		one("public_key: author.pub", opened, "must be signed", "wasm_tool.public_key"),
		one("public_key: author.pub, signature: good.sig", hash, digest, "wasm_tool.signature"),
		one("timeout: 77s", explained, "compute for 1m17s", "wasm_tool.timeout"),
		one("timeout_ms: 77000", explained, "compute for 1m17s", "wasm_tool.timeout_ms"),
		one("isolation: shared", explained, "keep memory from any call to any other", "wasm_tool.isolation"),
		one("config: {units: metric}", explained, "config map[units:metric]", "wasm_tool.config"),
		one("name: digests", then(hash, func(w *world) string { return w.project.Metrics().Status(w.ctx).Modules[0].Name }), "digests", "wasm_tool.name"),
	}
	return append(append(all, limitEffects(module)...), grantEffects(module)...)
}

func absolute(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return full
}

func limitEffects(module func(string) string) []effect {
	limit := func(keys string) string { return module("capabilities: {limits: {" + keys + "}}") }
	hash := calls("sha256", `{"text":"abc"}`)
	all := []effect{
		effectOf(limit("fuel: 10"), hash, `"isError":true`, "limits.fuel", "capabilities.limits", "wasm_tool.capabilities"),
		effectOf(limit("input: 10B"), hash, `"isError":true`, "limits.input"),
		effectOf(limit("output: 10B"), hash, `"isError":true`, "limits.output"),
		effectOf(limit("memory: 64KiB"), hash, "not opened", "limits.memory"),
		effectOf(limit("module: 100B"), hash, "not opened", "limits.module"),
		effectOf(limit("compile_work: 1"), hash, "not opened", "limits.compile_work"),
		effectOf(limit("ready_instances: 3"), then(hash, again("3 ready", ready)), "3 ready", "limits.ready_instances"),
	}
	for key, c := range map[string][2]string{
		"concurrency": {"7", "7 calls at once"}, "queue": {"8", "8 more may wait"}, "table_elements": {"321", "321 table elements"}, "stdin": {"11B", "11 bytes on stdin"},
		"log_lines": {"12", "log 12 lines"}, "log_bytes": {"13B", "13 bytes"}, "load_time": {"14s", "LoadTimeMax:14s"},
		"idle_instances": {"15", "InstancesIdleMax:15"}, "idle_time": {"16s", "IdleTimeMax:16s"},
	} {
		all = append(all, effectOf(limit(key+": "+c[0]), explained, c[1], "limits."+key))
	}
	return all
}

// ready is how many instances wait for a call.
func ready(w *world) string {
	for _, m := range w.project.Metrics().Status(w.ctx).Modules {
		return fmt.Sprintf("%d ready", m.Idle)
	}
	return "no module"
}

func grantEffects(module func(string) string) []effect {
	grant := func(keys string) string { return module("capabilities: {" + keys + "}") }
	return []effect{
		{
			file: grant(`state: [{prefix: "notes/", access: read-write, bytes: 1234B, ops: 56}], env: {ONE: "1"}, clock: real, random: {seed: same}`), see: explained,
			shows: map[string]string{
				"capabilities.state": `"notes/"`, "state_grant.prefix": `under keys that begin with "notes/"`, "state_grant.access": "read and write state",
				"state_grant.bytes": "1234 bytes", "state_grant.ops": "56 operations", "capabilities.env": "ONE", "capabilities.clock": "a real clock", "capabilities.random": "(seeded)",
			},
		},
		{
			file: grant(`files: [{path: /data, root: ./sub, access: read-write, bytes: 1234B}], limits: {open_files: 3}`), see: explained,
			shows: map[string]string{
				"capabilities.files": "/data", "file_grant.path": "sees at /data", "file_grant.root": "/sub", "file_grant.access": "read and change", "file_grant.bytes": "1234 bytes", "limits.open_files": "3 files open",
			},
		},
		{
			file: grant(`http: [{host: one.example.net, methods: [POST], private: true, headers: [Api-Key]}],
				limits: {http_requests: 3, http_request_bytes: 44B, http_response_bytes: 55B, http_time: 6s}`), see: explained,
			shows: map[string]string{
				"capabilities.http": "one.example.net", "http_grant.host": "one.example.net", "http_grant.methods": "POST", "http_grant.private": "private", "http_grant.headers": "Api-Key",
				"limits.http_requests": "send 3 requests", "limits.http_request_bytes": "44 bytes", "limits.http_response_bytes": "55 bytes", "limits.http_time": "within 6s",
			},
		},
	}
}

// sign signs the module, for files that ask for it.
func sign(dir string) error {
	module, err := os.ReadFile(sha256Module)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	pem, err := signature.MarshalPublicKey(public)
	return errorOf(err, os.WriteFile(filepath.Join(dir, "author.pub"), pem, 0o600), os.WriteFile(filepath.Join(dir, "good.sig"), signature.Sign(module, private), 0o600))
}

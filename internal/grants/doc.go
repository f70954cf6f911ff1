// Package grants reads from YAML what WebAssembly tools may have: the entries of
// type wasm in the tools list of a forge.yaml, each of which becomes a
// [sandbox.Policy].
//
// The main types are [File], a file that was read; [Tool], one entry; and
// [Problems], all that is wrong with a file, each with line and column.
//
//	file, err := grants.Read("forge.yaml", grants.Options{})
//	if err != nil { … }
//	for _, tool := range file.Tools {
//		module, policy, err := tool.Open()
//		…
//	}
//
// # The form
//
//	tools:
//	  - type: wasm
//	    name: notes                  # optional: for the logs
//	    module: tools/notes.wasm     # paths are relative to the file
//	    sha256: 9f86d0…              # optional pin
//	    public_key: author.pub       # optional: a file, or ed25519:BASE64
//	    signature: notes.wasm.sig    # with public_key; this is the default
//	    isolation: call              # call, session or shared
//	    timeout: 2s                  # or timeout_ms: 2000
//	    config: {units: metric}      # what Extism guests read
//	    capabilities:
//	      state:
//	        - {prefix: "notes/", access: read-write, bytes: 1MiB, ops: 100}
//	      files:
//	        - {path: /data, root: ./data, access: read}
//	      http:
//	        - {host: api.example.org, methods: [GET, POST], headers: [Api-Key], private: false}
//	      env: [LANG]                # of the host's environment; or {LANG: C.UTF-8}
//	      clock: virtual             # or real
//	      random: os                 # or {seed: some text}
//	      limits: {memory: 64MiB, fuel: 1000000000, concurrency: 4}
//
// Nothing is granted that is not written. "${NAME}" in a value stands for an
// environment variable, "${NAME:-text}" has a default, "$${" is "${". A variable
// is put in after the YAML was read: it cannot add a grant.
//
// # Caveats
//
// Merge keys (<<) are refused. Tools of other types and the other blocks of a
// forge.yaml are passed over here: they are for whoever serves them.
package grants

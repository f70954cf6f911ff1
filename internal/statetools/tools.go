package statetools

import (
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Limits of one call. They keep an answer readable and its cost bounded.
const (
	batchMax     = 1000 // keys or entries
	listLimitMax = 1000
	listLimit    = 100
)

// Register adds the state tools on m to server. It panics when the server has a
// tool of the same name already. Clients can do to m whatever the tools can: give
// state.Public of a store that the server keeps things of its own in.
func Register(server *mcp.Server, m state.Manager) {
	t := tools{state: m}
	for _, d := range t.all() {
		server.AddTool(mcp.Tool{
			Name:         d.name,
			Title:        d.title,
			Description:  d.description,
			InputSchema:  []byte(d.input),
			OutputSchema: []byte(d.output),
			Annotations:  d.hints.annotations(),
			Inline:       d.inline,
			Task:         d.task,
			SelfChecked:  true,
		}, d.handler)
	}
}

// description is a tool as the table below writes it.
type description struct {
	name, title, description string
	input, output            string
	hints                    hints
	inline                   bool // takes microseconds whatever the store holds
	task                     mcp.TaskMode
	handler                  mcp.Handler
}

// hints are the annotations of a state tool; none of them reaches outside.
type hints struct{ readOnly, destructive, idempotent bool }

func (h hints) annotations() *mcp.ToolAnnotations {
	openWorld := false
	return &mcp.ToolAnnotations{
		ReadOnlyHint: &h.readOnly, DestructiveHint: &h.destructive, IdempotentHint: &h.idempotent,
		OpenWorldHint: &openWorld,
	}
}

// Parts of the schemas that stand in several.
const (
	keySchema     = `{"type":"string","minLength":1,"maxLength":65536,"description":"The key: text of 1 to 65,536 bytes in UTF-8."}`
	valueSchema   = `{"type":"string","description":"The value as text. Give this or value_base64."}`
	bytesSchema   = `{"type":"string","contentEncoding":"base64","description":"The value as bytes in base64. Give this or value."}`
	ttlSchema     = `{"type":"number","exclusiveMinimum":0,"maximum":3153600000,"description":"How long the entry lives, in seconds, exact to the millisecond. Left out: for ever."}`
	versionSchema = `{"type":"integer","minimum":0}`
	entryFields   = `"value":{"type":"string","description":"The value, when it is text."},` +
		`"value_base64":{"type":"string","contentEncoding":"base64","description":"The value in base64, when it is not text."},` +
		`"version":{"type":"integer","minimum":1,"description":"The version of the entry: a condition for a later write."},` +
		`"ttl_seconds":{"type":"integer","minimum":1,"description":"Seconds until the entry ends, rounded up; absent when it lives for ever."}`
)

// object is the schema of an object with these properties and no others.
func object(properties, required string) string {
	return `{"type":"object","properties":{` + properties + `},"required":[` + required + `],"additionalProperties":false}`
}

func (t tools) all() []description {
	return append(t.single(), t.several()...)
}

// single is the tools on one key.
func (t tools) single() []description {
	read := hints{readOnly: true, idempotent: true}
	write := hints{destructive: true, idempotent: true}
	return []description{{
		name: "state_get", title: "Get a value", inline: true, hints: read, handler: t.get,
		description: "Read the value stored under a key, with its version and remaining lifetime.",
		input:       object(`"key":`+keySchema, `"key"`),
		output:      object(`"found":{"type":"boolean"},`+entryFields, `"found"`),
	}, {
		name: "state_set", title: "Store a value", inline: true, hints: write, handler: t.set,
		description: "Store a value under a key. With if_absent or if_version the value is stored only when the key is absent or still at that version; otherwise stored is false and version tells what is there.",
		input: object(`"key":`+keySchema+`,"value":`+valueSchema+`,"value_base64":`+bytesSchema+`,"ttl_seconds":`+ttlSchema+
			`,"if_version":{"type":"integer","minimum":0,"description":"Store only while the key is at this version; 0 means while it is absent."}`+
			`,"if_absent":{"type":"boolean","description":"Store only while the key is absent."}`, `"key"`),
		output: object(`"stored":{"type":"boolean"},"version":`+versionSchema, `"stored","version"`),
	}, {
		name: "state_delete", title: "Delete a key", inline: true, hints: write, handler: t.delete,
		description: "Delete a key. With if_version it is deleted only while it is at that version. deleted tells whether it was; version is that of the deletion, or what is there when if_version did not hold, or 0 when the key was absent.",
		input: object(`"key":`+keySchema+
			`,"if_version":{"type":"integer","minimum":1,"description":"Delete only while the key is at this version."}`, `"key"`),
		output: object(`"deleted":{"type":"boolean"},"version":`+versionSchema, `"deleted","version"`),
	}, {
		name: "state_exists", title: "Look whether a key exists", inline: true, hints: read, handler: t.exists,
		description: "Tell whether a key is present, without reading its value.",
		input:       object(`"key":`+keySchema, `"key"`),
		output:      object(`"exists":{"type":"boolean"}`, `"exists"`),
	}, {
		name: "state_increment", title: "Add to a counter", inline: true, hints: hints{destructive: true}, handler: t.increment,
		description: "Add delta (1 when left out, may be negative) to the whole number stored under a key and return the sum. An absent key counts as 0. Two callers never lose each other's step.",
		input: object(`"key":`+keySchema+
			`,"delta":{"type":"integer","description":"What to add; 1 when left out."}`, `"key"`),
		output: object(`"value":{"type":"integer"},"version":`+versionSchema, `"value","version"`),
	}, {
		name: "state_compare_and_swap", title: "Replace a value if unchanged", inline: true, hints: hints{destructive: true}, handler: t.compareAndSwap,
		description: "Replace the value of a key only while the key is at the given version (0: while it is absent); its lifetime stays. swapped tells whether it was; version is the new one, or the one found.",
		input: object(`"key":`+keySchema+`,"version":{"type":"integer","minimum":0,"description":"The version that state_get gave; 0 for an absent key."},"value":`+
			valueSchema+`,"value_base64":`+bytesSchema, `"key","version"`),
		output: object(`"swapped":{"type":"boolean"},"version":`+versionSchema, `"swapped","version"`),
	}}
}

// several is the tools on many keys.
func (t tools) several() []description {
	return []description{{
		name: "state_list", title: "List keys", hints: hints{readOnly: true, idempotent: true}, handler: t.list,
		description: "List the keys that begin with a prefix, in byte order, a page at a time. When next_cursor is there, call again with it as cursor for the next page.",
		input: object(`"prefix":{"type":"string","maxLength":65536,"description":"Only keys that begin with this; left out: all."}`+
			`,"cursor":{"type":"string","description":"next_cursor of the page before."}`+
			`,"limit":{"type":"integer","minimum":1,"maximum":1000,"description":"Keys per page; 100 when left out."}`, ``),
		output: object(`"entries":{"type":"array","items":`+object(
			`"key":{"type":"string"},"key_base64":{"type":"string","description":"The key in base64, in place of key, when it is not text."},"version":{"type":"integer","minimum":1},"size":{"type":"integer","minimum":0,"description":"Length of the value in bytes."},"ttl_seconds":{"type":"integer","minimum":1}`,
			`"version","size"`)+`},"next_cursor":{"type":"string"}`, `"entries"`),
	}, {
		name: "state_wait", title: "Wait for a change", hints: hints{readOnly: true}, handler: t.wait, task: mcp.TaskOptional,
		description: "Wait until a key is no longer at a version (0: until it exists), and return what is there then. After timeout_seconds without a change, changed is false. A client that knows tasks gets a task.",
		input: object(`"key":`+keySchema+`,"version":{"type":"integer","minimum":0,"description":"The version that is known; 0 for an absent key."}`+
			`,"timeout_seconds":{"type":"number","exclusiveMinimum":0,"maximum":3600,"description":"How long to wait; 30 when left out."}`, `"key","version"`),
		output: object(`"changed":{"type":"boolean"},"found":{"type":"boolean"},`+entryFields, `"changed","found"`),
	}, {
		name: "state_batch_get", title: "Get several values", hints: hints{readOnly: true, idempotent: true}, handler: t.batchGet,
		description: "Read several keys in one call; the answers come in the order of the keys.",
		input:       object(`"keys":{"type":"array","maxItems":1000,"items":`+keySchema+`}`, `"keys"`),
		output: object(`"entries":{"type":"array","items":`+
			object(`"key":{"type":"string"},"found":{"type":"boolean"},`+entryFields, `"key","found"`)+`}`, `"entries"`),
	}, {
		name: "state_batch_set", title: "Store several values", hints: hints{destructive: true, idempotent: true}, handler: t.batchSet,
		description: "Store several entries as one: all of them, or (when one is wrong or there is no room) none. A key may stand once.",
		input: object(`"entries":{"type":"array","maxItems":1000,"items":`+
			object(`"key":`+keySchema+`,"value":`+valueSchema+`,"value_base64":`+bytesSchema+`,"ttl_seconds":`+ttlSchema, `"key"`)+`}`, `"entries"`),
		output: object(`"entries":{"type":"array","items":`+
			object(`"key":{"type":"string"},"version":{"type":"integer","minimum":1}`, `"key","version"`)+`}`, `"entries"`),
	}}
}

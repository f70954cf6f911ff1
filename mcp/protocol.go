package mcp

import (
	"slices"
)

// Protocol versions. Legacy ones begin with initialize, modern ones carry
// their version in each request's _meta.
const (
	VersionModern = "2026-07-28" // the newest modern version
	VersionLegacy = "2025-11-25" // the newest legacy version

	// VersionUnnamed is the version of an HTTP request that names none: the
	// last one without the header (2025-06-18 basic/transports).
	VersionUnnamed = "2025-03-26"
)

// supportedVersions are all versions served, newest first.
var supportedVersions = []string{VersionModern, VersionLegacy, "2025-06-18", VersionUnnamed, "2024-11-05"}

// Members of a modern request's _meta (basic/index, "Per-request protocol
// fields"), and of a result's.
const (
	metaPrefix             = "io.modelcontextprotocol/"
	metaProtocolVersion    = metaPrefix + "protocolVersion"
	metaClientInfo         = metaPrefix + "clientInfo"
	metaClientCapabilities = metaPrefix + "clientCapabilities"
	metaServerInfo         = metaPrefix + "serverInfo"
	metaLogLevel           = metaPrefix + "logLevel"
	metaSubscriptionID     = metaPrefix + "subscriptionId"
	metaProgressToken      = "progressToken"
)

// Methods.
const (
	methodInitialize  = "initialize"
	methodPing        = "ping"
	methodDiscover    = "server/discover"
	methodToolsList   = "tools/list"
	methodToolsCall   = "tools/call"
	methodSetLevel    = "logging/setLevel"
	methodCancelled   = "notifications/cancelled"
	methodInitialized = "notifications/initialized"

	methodPromptsList   = "prompts/list"
	methodPromptsGet    = "prompts/get"
	methodResourcesList = "resources/list"
	methodTemplatesList = "resources/templates/list"
	methodResourcesRead = "resources/read"
	methodSubscribe     = "resources/subscribe"
	methodUnsubscribe   = "resources/unsubscribe"
	methodComplete      = "completion/complete"
	methodListen        = "subscriptions/listen"

	methodTasksGet    = "tasks/get"
	methodTasksUpdate = "tasks/update"
	methodTasksCancel = "tasks/cancel"
	methodTasksResult = "tasks/result" // legacy
	methodTasksList   = "tasks/list"   // legacy

	methodElicit = "elicitation/create"
	methodSample = "sampling/createMessage"
	methodRoots  = "roots/list"
)

// versionTasks is the only legacy version with tasks.
const versionTasks = VersionLegacy

// IsLegacyVersion reports whether v is a version served after initialize.
func IsLegacyVersion(v string) bool {
	return v != VersionModern && slices.Contains(supportedVersions, v)
}

// unsupportedVersion is the error for a version that is not served
// (basic/versioning, "Protocol Version Negotiation").
func unsupportedVersion(requested string) *wireError {
	data := []byte(`{"supported":[`)
	for i, v := range supportedVersions {
		if i > 0 {
			data = addByte(data, ',')
		}
		data = appendString(data, v)
	}
	data = add(data, `],"requested":`)
	data = addByte(appendString(data, requested), '}')
	message := "Unsupported protocol version " + requested
	if IsLegacyVersion(requested) {
		message = "protocol version " + requested + " begins with initialize and is not asked for in _meta"
	}
	return &wireError{code: CodeUnsupportedVersion, message: message, data: data}
}

// requestMeta is what a request's _meta says about the protocol.
type requestMeta struct {
	raw     []byte // a copy of the _meta this was read from; empty if that is long
	modern  bool   // it has a per-request protocol field
	version string // the protocol version it names, "" when none
	client  *client
	level   uint8 // the rank of the lowest level that it asks log messages of; 0 for none
	problem *wireError
}

// metaBytesKept is the length up to which a _meta is kept for comparison.
const metaBytesKept = 16 << 10

// noMeta is what a request without _meta says. It is never changed.
var noMeta requestMeta

// metaReader reads _meta objects and keeps the last one, since clients send
// the same bytes with each request.
type metaReader struct {
	last    requestMeta
	scanner scanner
}

// read returns what raw, a scanned value or nil, says.
func (r *metaReader) read(raw []byte) *requestMeta {
	if raw == nil {
		return &noMeta
	}
	if string(raw) == string(r.last.raw) {
		return &r.last
	}
	kept := r.last.raw[:0]
	if len(raw) <= metaBytesKept {
		kept = add(kept, raw)
	}
	r.last = requestMeta{raw: kept}
	if raw[0] != '{' {
		r.last.problem = refuse(CodeInvalidParams, "params._meta is an object, not "+describe(raw))
		return &r.last
	}
	r.scanner.depthMax = len(raw) // the frame's scan bounded it
	r.scanner.scan(raw)
	var version, capabilities, client, level []byte
	for _, m := range r.scanner.top {
		switch value := r.scanner.at(m.value); string(r.scanner.at(m.name)) {
		case metaProtocolVersion:
			version = value
		case metaClientCapabilities:
			capabilities = value
		case metaClientInfo:
			client = value
		case metaLogLevel:
			level = value
		}
	}
	r.last.modern = version != nil || capabilities != nil || client != nil
	if version != nil && version[0] == '"' {
		r.last.version = r.versionName(version)
	}
	if r.last.modern {
		r.last.problem = r.check(version, capabilities, client)
	}
	if r.last.modern && r.last.problem == nil {
		r.last.client = newClient(VersionModern, capabilities, client)
		r.last.problem = r.readLevel(level)
	}
	return &r.last
}

// readLevel reads the level of log messages that a modern request asks for.
func (r *metaReader) readLevel(raw []byte) *wireError {
	if raw == nil {
		return nil
	}
	if raw[0] == '"' {
		r.last.level = uint8(LogLevel(r.scanner.unquote(raw)).rank())
	}
	if r.last.level == 0 {
		return refuse(CodeInvalidParams, "params._meta: "+metaLogLevel+" is no log level: "+shown(raw))
	}
	return nil
}

// check returns what is wrong with the per-request protocol fields. The
// version comes first: what else is required depends on it.
func (r *metaReader) check(version, capabilities, client []byte) *wireError {
	switch {
	case version == nil:
		return missingMeta(metaProtocolVersion)
	case version[0] != '"':
		return refuse(CodeInvalidParams, "params._meta: "+metaProtocolVersion+" is a string, not "+describe(version))
	case r.last.version != VersionModern:
		return unsupportedVersion(r.last.version)
	case capabilities == nil:
		return missingMeta(metaClientCapabilities)
	case capabilities[0] != '{':
		return refuse(CodeInvalidParams, "params._meta: "+metaClientCapabilities+" is an object, not "+describe(capabilities))
	case client != nil && client[0] != '{':
		return refuse(CodeInvalidParams, "params._meta: "+metaClientInfo+" is an object, not "+describe(client))
	}
	return nil
}

// versionName returns the value of a scanned string, cut to a length that no
// version reaches; the usual one costs no allocation.
func (r *metaReader) versionName(raw []byte) string {
	name := r.scanner.unquote(raw)
	if string(name) == VersionModern {
		return VersionModern
	}
	return shown(name)
}

func missingMeta(name string) *wireError {
	return refuse(CodeInvalidParams, "params._meta lacks "+name+
		"; each request of "+VersionModern+" carries it, earlier versions begin with initialize")
}

package config

//go:generate go test -count=1 -run ^TestGenerated$ . -update

import (
	"encoding/json"
	"time"

	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/mcp"
)

// Config is a forge.yaml with everything that it includes. What the file leaves
// out has its default here, unless a field says otherwise.
type Config struct {
	Forge     Meta
	Tools     []Tool // in the file's order, included ones where their file is named
	Resources []Resource
	Prompts   []Prompt
	State     State
	// Middleware wraps each tool, the first one outermost; a tool's own stands
	// inside of it.
	Middleware     []Middleware
	FaultTolerance FaultTolerance
	Access         Access
	Audit          Audit
	Telemetry      Telemetry
	Tests          []Test
	// Files are the paths of all that was read, the main file first: when one of
	// them changes, the configuration has to be loaded again.
	Files []string
	// Secrets are the values that no log and no error may show.
	Secrets Secrets `json:"-"`
}

// Tool returns the tool of that name, or nil.
func (c *Config) Tool(name string) *Tool {
	for i := range c.Tools {
		if c.Tools[i].Name == name {
			return &c.Tools[i]
		}
	}
	return nil
}

// The transports of a server.
const (
	TransportStdio     = "stdio"
	TransportHTTP      = "http" // streamable HTTP
	TransportSSE       = "sse"
	TransportWebSocket = "websocket"
)

// Meta is the block forge: what the server is and where it is reached.
type Meta struct {
	Place
	Name        string
	Version     string
	Description string // empty: none
	Transport   string // one of the constants of that name; stdio by default
	Host        string // 127.0.0.1 by default
	Port        int    // 7070 by default
	// Release says "optimization: release": the program that ingot build makes has no
	// symbols.
	Release bool
}

// Kind says what answers a tool's calls.
type Kind string

// The kinds of tools.
const (
	KindNative   Kind = "native"
	KindCLI      Kind = "cli"
	KindHTTP     Kind = "http"
	KindPipeline Kind = "pipeline"
	KindWasm     Kind = "wasm"
)

// Tool is one entry of tools. Of Native, CLI, HTTP, Pipeline and Wasm the one that
// Kind names is not nil.
type Tool struct {
	Place
	Kind Kind
	// Name is the name that clients call. A wasm tool's may be empty: its module
	// says what it is called.
	Name        string
	Title       string
	Description string
	Annotations *mcp.ToolAnnotations // nil: not said
	Icons       []mcp.Icon
	Timeout     time.Duration // 0: not said
	Params      []Param       // in the file's order
	// InputSchema is the JSON Schema of the arguments, made from Params. It is
	// empty for a wasm tool, whose module has its own, and for a hidden tool without
	// params, which takes what the tool before it was given.
	InputSchema json.RawMessage `json:",omitempty"`
	// OutputSchema is the JSON Schema of structured results; empty: not said.
	OutputSchema json.RawMessage `json:",omitempty"`
	// Middleware is the tool's own, inside of the file's.
	Middleware []Middleware
	State      *ToolState // nil: the whole state, and entries live as long as the file says
	// StateKeys are the keys of the state that its templates show, as {{state.KEY}}.
	StateKeys []string
	// Hidden tools are called by others and not listed: they are written in the
	// place where they are used, as a fallback is, and have the parameters of the tool
	// that they stand in for.
	Hidden bool

	Native   *Native
	CLI      *CLI
	HTTP     *HTTP
	Pipeline *Pipeline
	Wasm     *grants.Tool

	broken             bool        // it has faults of its own: what spans objects is not checked
	fallback, bulkhead *Middleware // of an http tool's keys; see desugar
}

// ToolState is the part of the state that a tool sees.
type ToolState struct {
	Place
	Namespace string // empty: all of it
	// TTL is how long entries live that the tool writes and says nothing else of; with
	// Handle, how long a handle is good. 0: what the block state says, and a day.
	TTL time.Duration
	// Handle keeps what is written under a handle, which a client gets with its first
	// answer and gives back as the argument state_handle.
	Handle bool
	// ByCaller gives the tool the caller's rights to keys in the place of the file's.
	ByCaller bool
}

// HandleParam is the parameter of a tool whose state is kept by handle.
const HandleParam = "state_handle"

// Param is a parameter of a tool, or an argument of a prompt.
type Param struct {
	Place
	Name string // empty for Items
	// Title is what people call an argument of a prompt.
	Title string
	// Type is string, integer, number (float in the file too), boolean, array or
	// object.
	Type        string
	Required    bool
	Default     json.RawMessage `json:",omitempty"` // empty: none
	Description string
	Enum        []json.RawMessage // each of the parameter's type; empty: any value
	Min, Max    *float64          // of integers and numbers, both allowed themselves
	// MinLength and MaxLength count the characters of a string, the elements of an
	// array.
	MinLength, MaxLength *int
	Pattern              string  // a regular expression (RE2) that a string has to match somewhere
	StatePrefix          string  // of keys whose rest is suggested for an argument of a prompt
	Items                *Param  // what an array holds; nil: anything
	Properties           []Param // what an object holds; empty: anything
}

// Native is a Go function.
type Native struct {
	// Path is the name that the function is registered under.
	Path string
	// Inline is an expression over the parameters, whose value is the answer; it
	// stands for a function. Either it or Path is set.
	Inline string
}

// CLI is a program. Args and the values of Env are templates over the parameters;
// Command and Cwd are plain.
type CLI struct {
	Command string
	// Args are the arguments, each a template that gives one argument; one that is a
	// single {{param}} of type array gives one for each element.
	Args []string
	// Cwd is the working directory, absolute; empty: the server's own.
	Cwd string
	// Env are variables with their values, which are templates.
	Env map[string]string
	// PassEnv are names of the server's own variables that are passed on. A program
	// gets no other, but for PATH.
	PassEnv []string
	// Stream sends the output as progress while the program runs.
	Stream bool
	// OutputBytesMax bounds stdout, and stderr.
	OutputBytesMax uint64
	// SuccessCodes are the exit codes of a success.
	SuccessCodes []int
}

// HTTP is a request. Endpoint, the values of Headers and Query, and the texts in
// the body are templates over the parameters, or over the variables of a
// resource's URI.
type HTTP struct {
	Method   string // in capitals
	Endpoint string
	Headers  map[string]string
	Query    map[string]string
	// Body is JSON whose texts are templates; BodyText is a template of the whole
	// body. At most one of them is set.
	Body     json.RawMessage `json:",omitempty"`
	BodyText string
	Auth     *Auth  // nil: none
	Retry    *Retry // nil: what the tool's middleware does
	// Private lets the host be this machine or on a private network.
	Private bool
	// ResponseBytesMax bounds the answer's body.
	ResponseBytesMax uint64
}

// The kinds of authentication.
const (
	AuthBearer = "bearer"
	AuthBasic  = "basic"
	AuthAPIKey = "apikey"
)

// Auth is how a request says who sends it. All of it but Type, Header and Username
// is among the secrets.
type Auth struct {
	Place
	Type     string // one of the constants named Auth…
	Token    string `json:"-"` // of bearer
	Username string // of basic
	Password string `json:"-"`
	Key      string `json:"-"` // of apikey
	Header   string // of apikey: the header that carries the key
}

// Pipeline is a tool made of others.
type Pipeline struct {
	Steps []Step
	// Output is JSON whose texts are templates over the variables: what the pipeline
	// answers. Empty: what the last step that ran answers.
	Output json.RawMessage `json:",omitempty"`
}

// ErrorPolicy says what a step's error does to the pipeline.
type ErrorPolicy string

// The error policies.
const (
	ErrorFailFast ErrorPolicy = "fail_fast" // the pipeline ends with the error; the default
	ErrorContinue ErrorPolicy = "continue"  // the next step runs
)

// Step is a call of a tool, or steps that run at once: either Tool or Parallel is
// set.
type Step struct {
	Place
	Tool string
	// Input is JSON, an object whose texts are templates over the pipeline's
	// arguments and variables, or one text that is such a template and gives an
	// object. Empty: no arguments, or those of InputFrom.
	Input json.RawMessage `json:",omitempty"`
	// InputFrom names the variable that holds the arguments.
	InputFrom   string
	OutputVar   string // the variable that the answer goes to; empty: none
	Condition   string // an expression; the step is left out where it is false; empty: true
	ErrorPolicy ErrorPolicy
	Timeout     time.Duration // 0: the pipeline's
	Parallel    []Step
}

// Resource is one entry of resources. Of Handler, File, Root, HTTP and StatePrefix
// one is set.
type Resource struct {
	Place
	// URITemplate is a template of RFC 6570 as [mcp.ParseURITemplate] reads it, or a plain
	// URI.
	URITemplate string
	Name        string
	Title       string
	Description string
	MIMEType    string // empty: by the name or the content
	// Read, Write and Subscribe are the operations that it supports; Read by default.
	Read, Write, Subscribe bool

	Handler     *Native
	File        string // the path of one file, absolute
	Root        string // a folder, absolute: the template's one variable is a path in it
	HTTP        *HTTP  // its templates are over the template's variables
	StatePrefix string // keys that begin so: the template's one variable is the rest
	// Hidden serves what is in Root under a name that begins with a dot.
	Hidden bool
	// ContentBytesMax bounds what is read and written, but for HTTP.
	ContentBytesMax uint64
	Cache           *Cache // nil: none

	httpPlace Place
}

// Prompt is one entry of prompts.
type Prompt struct {
	Place
	Name        string
	Title       string
	Description string
	Messages    []Message // at least one
	// Arguments are the texts that the client gives; Enum has the values to complete
	// from, Type what a text has to read as.
	Arguments []Param
	// StateKeys are the keys of the state that the messages show, as {{state.KEY}}.
	StateKeys []string
}

// The roles of a message.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Message is one message of a prompt.
type Message struct {
	Place
	Role string
	// Template is a text with the arguments as {{name}}.
	Template string
	// Resource is the URI of a resource that is the message, likewise a template. Either
	// it or Template is set.
	Resource string
}

// The backends of the state.
const (
	BackendMemory = "memory" // also trueno
	BackendFile   = "file"   // also sled
	BackendRedis  = "redis"
)

// State is the block state; without one it is in memory.
type State struct {
	Place
	Backend string
	Path    string        // of file: its directory, absolute
	URL     string        `json:"-"` // of redis; may hold a password
	TTL     time.Duration // 0: entries live for ever
	// BytesMax is the budget of all entries; 0: none.
	BytesMax uint64
	// CacheEntries is how many entries a client of redis keeps at hand; 0: none.
	CacheEntries int
	// Sync says when a write to a file is on the disk: always, interval or never;
	// empty for other backends.
	Sync string
	// ValueBytesMax bounds one value; 0: the engine's own bound.
	ValueBytesMax uint64
}

// Test is one entry of tests: a call and what it has to answer. Package forge/check runs
// them.
type Test struct {
	Place
	Name  string
	Tool  string
	Input json.RawMessage `json:",omitempty"` // an object; empty: no arguments
	// Timeout bounds the call; 0: what whoever runs the tests says.
	Timeout time.Duration
	// Shared: the test goes on with the state that the shared tests before it have left;
	// others begin with an empty one of their own.
	Shared bool
	Expect Expect
}

// Expect is what a call has to answer; all that is set has to hold.
type Expect struct {
	Place
	Error    bool            // the answer is an error; a success by default
	Text     *string         // the whole text; nil: any
	Contains []string        // what the text contains
	Matches  string          // a regular expression that the text matches somewhere
	JSON     json.RawMessage `json:",omitempty"` // the structured answer, or the text read as JSON
}

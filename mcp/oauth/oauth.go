package oauth

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// Options configures a Server. Issuer and Audience are required.
type Options struct {
	// Issuer is the URL of the authorization server, exactly as it calls itself.
	Issuer string
	// Audience is the URL by which clients know this server (RFC 8707), and
	// which its tokens have to name. An origin without a path
	// (https://mcp.example) stands for all endpoints below it.
	Audience string
	// Scopes are what every token must have.
	Scopes []string
	// MoreScopes are further ones that handlers may ask for (see Allow). Clients
	// read of them in the metadata.
	MoreScopes []string
	// Algorithms of signatures that are accepted. The default is RS256, ES256 and
	// EdDSA; those and their longer forms are all there are.
	Algorithms []string
	// Leeway is how far clocks may differ. Default 30 seconds, at most 5 minutes.
	Leeway time.Duration

	// Name and Documentation (a URL) describe this server to people; may be empty.
	Name, Documentation string

	// Client fetches the issuer's metadata and keys; for roots or a proxy of your
	// own. Its redirects are not followed. nil is one with Go's defaults.
	Client *http.Client
	Logger *slog.Logger // nil discards
}

// Bounds of Options.
const (
	leewayStandard = 30 * time.Second
	leewayMax      = 5 * time.Minute
)

// Server checks access tokens. It is safe for concurrent use.
type Server struct {
	options   Options
	audiences []string
	metadata  []byte
	paths     []string
	located   string // resource_metadata="…", for challenges
	keys      *keyCache
}

var _ httpguard.Authenticator = (*Server)(nil)

// New returns a Server. It reads nothing from the network: keys are fetched when
// the first token comes. The error says which option is wrong.
func New(o Options) (*Server, error) {
	issuer, err := parseURL("issuer", o.Issuer)
	if err != nil {
		return nil, err
	}
	audience, err := parseURL("audience", o.Audience)
	if err != nil {
		return nil, err
	}
	if o.Leeway < 0 || o.Leeway > leewayMax {
		return nil, fmt.Errorf("the leeway of %v is not between 0 and %v", o.Leeway, leewayMax)
	}
	if o.Leeway == 0 {
		o.Leeway = leewayStandard
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, scope := range slices.Concat(o.Scopes, o.MoreScopes) {
		if !isScope(scope) {
			return nil, fmt.Errorf("%q is not a scope: those are visible ASCII characters without quotes and backslashes (RFC 6749 section 3.3)", scope)
		}
	}
	algorithms, err := algorithmsOf(o.Algorithms)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, audiences: []string{o.Audience}, keys: newKeyCache(issuer, o, algorithms)}
	s.describe(audience)
	return s, nil
}

// describe makes what clients read of this server.
func (s *Server) describe(audience *url.URL) {
	path := strings.TrimSuffix(audience.EscapedPath(), "/")
	if path == "" {
		// Clients differ in whether they write an origin with a slash.
		origin := strings.TrimSuffix(s.options.Audience, "/")
		s.audiences = []string{origin, origin + "/"}
	}
	s.paths = slices.Compact([]string{wellKnown, wellKnown + path})
	s.located = `resource_metadata="` + audience.Scheme + "://" + audience.Host + wellKnown + path + `"`
	document := map[string]any{
		"resource":                 s.options.Audience,
		"authorization_servers":    []string{s.options.Issuer},
		"bearer_methods_supported": []string{"header"},
	}
	if scopes := slices.Concat(s.options.Scopes, s.options.MoreScopes); len(scopes) > 0 {
		slices.Sort(scopes)
		document["scopes_supported"] = slices.Compact(scopes)
	}
	if s.options.Name != "" {
		document["resource_name"] = s.options.Name
	}
	if s.options.Documentation != "" {
		document["resource_documentation"] = s.options.Documentation
	}
	text, err := json.Marshal(document, json.Deterministic(true))
	if err != nil {
		panic(err) // strings always encode
	}
	s.metadata = text
}

// wellKnown is where clients look for the metadata (RFC 9728 section 3); the
// resource's own path may follow it.
const wellKnown = "/.well-known/oauth-protected-resource"

// MetadataPaths returns the paths at which clients look for the metadata.
func (s *Server) MetadataPaths() []string { return slices.Clone(s.paths) }

// Metadata returns the handler of the metadata. It is public: pages of any origin
// may read it, and it must be mounted outside of what asks for a token.
func (s *Server) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "mcp-protocol-version") // which clients send along
		switch r.Method {
		case http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		case http.MethodGet, http.MethodHead:
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "max-age=300")
			w.Write(s.metadata) // an error here means that the client left
		default:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the metadata is read with GET", http.StatusMethodNotAllowed)
		}
	})
}

// parseURL reads a URL that names a server.
func parseURL(what, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, fmt.Errorf("the %s is missing: it is a URL", what)
	case err != nil:
		return nil, fmt.Errorf("the %s cannot be read: %w", what, err)
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "":
		return nil, fmt.Errorf("the %s %s has to be a URL such as https://name.example/path, without user, query and fragment", what, text)
	}
	if err := secure(u); err != nil {
		return nil, fmt.Errorf("the %s: %w", what, err)
	}
	return u, nil
}

// secure returns an error unless what is fetched from u cannot be changed on
// its way.
func secure(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u) {
		return nil
	}
	return fmt.Errorf("%s is neither https nor, for development, http on this machine", u)
}

func isLoopback(u *url.URL) bool { return httpguard.IsLoopback(strings.ToLower(u.Hostname())) }

// isScope reports whether text is one scope (RFC 6749 section 3.3).
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < 0x21 || r > 0x7E || r == '"' || r == '\\' })
}

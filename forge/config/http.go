package config

import (
	"net/url"
	"strings"

	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/internal/netguard"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

var (
	authTable         = table[Auth]{name: "auth", what: "auth", doc: "How a request says who sends it."}
	resourceHTTPTable = table[HTTP]{name: "http_source", what: "http", doc: "The request that answers a resource."}
	authTypes         = []string{AuthBearer, AuthBasic, AuthAPIKey}
	// authKeys are the keys of each type.
	authKeys = map[string][]string{AuthBearer: {"token", "token_env"}, AuthBasic: {"username", "password"}, AuthAPIKey: {"key", "header"}}
)

func httpTables() {
	authTable.fields = []field[Auth]{
		{name: "type", required: true, doc: "bearer sends a token, basic a name and a password, apikey a key in a header.", value: choice(append(authTypes, "api_key"), func(a *Auth, w string) { a.Type = strings.ReplaceAll(w, "_", "") })},
		{name: "token", doc: "bearer: the token, best as ${NAME}.", value: secret(func(a *Auth) *string { return &a.Token })},
		{name: "token_env", same: "token", doc: "bearer: the name of the environment variable that holds the token.", value: secretOf(func(a *Auth) *string { return &a.Token })},
		{name: "username", doc: "basic: the name.", value: text(func(a *Auth) *string { return &a.Username })},
		{name: "password", doc: "basic: the password, best as ${NAME}.", value: secret(func(a *Auth) *string { return &a.Password })},
		{name: "key", doc: "apikey: the key, best as ${NAME}.", value: secret(func(a *Auth) *string { return &a.Key })},
		{name: "header", byDef: "X-API-Key", doc: "apikey: the header that carries it.", value: text(func(a *Auth) *string { return &a.Header })},
	}
	authTable.ready()
	resourceHTTPTable.fields = httpFields(func(h *HTTP) *HTTP { return h })
	resourceHTTPTable.ready()
}

// secret is a text that no error and no log shows.
func secret(get func(*Auth) *string) value[Auth] {
	v := text(get)
	read := v.read
	v.read = func(l *loader, n *node, a *Auth, what string) {
		read(l, n, a, what)
		l.Secret(*get(a), "[secret]")
	}
	return v
}

// secretOf is a variable of the environment.
func secretOf(get func(*Auth) *string) value[Auth] {
	v := text(get)
	v.form.human = "name of a variable"
	v.read = func(l *loader, n *node, a *Auth, what string) {
		name, ok := l.text(n, what)
		if !ok {
			return
		}
		if *get(a), ok = l.LookupEnv(name); !ok {
			l.Fault(n, "the environment variable %s, which %s names, is not set", name, what)
		}
	}
	return v
}

// httpFields are the keys of a request wherever one is written.
func httpFields[T any](get func(*T) *HTTP) []field[T] {
	return []field[T]{
		{name: "endpoint", required: true, doc: "The URL, http or https. Behind the host it may have placeholders; their values are escaped.", value: templated(func(t *T) *string { return &get(t).Endpoint })},
		{name: "headers", doc: "Headers; their values are templates.", value: ofTemplates(textMap(func(t *T) *map[string]string { return &get(t).Headers }))},
		{name: "query", doc: "Parameters behind the ?; their values are templates.", value: ofTemplates(textMap(func(t *T) *map[string]string { return &get(t).Query }))},
		{name: "auth", doc: "How the request says who sends it.", value: value[T]{
			form{human: "mapping", schema: ref("auth"), uses: []described{&authTable}},
			func(l *loader, n *node, t *T, _ string) { get(t).Auth = l.auth(n) },
		}},
		{name: "private", byDef: "false", doc: "The host may be this machine or on a private network.", value: boolean(func(t *T, b bool) { get(t).Private = b })},
		{name: "response_max", byDef: "8MiB", doc: "The longest answer that is read.", value: size(func(t *T) *uint64 { return &get(t).ResponseBytesMax })},
	}
}

func toolHTTPFields() []field[Tool] {
	get := func(t *Tool) *HTTP { return t.HTTP }
	return append(httpFields(get),
		field[Tool]{name: "method", byDef: "GET", doc: "The request's method.", value: choice(methods, func(t *Tool, w string) { t.HTTP.Method = w })},
		field[Tool]{name: "body", same: "body_template", doc: "The body: a value that is sent as JSON, whose texts are templates; or a text, which is a template of the whole.", value: ofTemplates(body())},
		field[Tool]{name: "body_template", same: "body", doc: "The body: a template of the whole.", value: templated(func(t *Tool) *string { return &t.HTTP.BodyText })},
	)
}

func body() value[Tool] {
	return value[Tool]{form{human: "any value", schema: map[string]any{}}, func(l *loader, n *node, t *Tool, what string) {
		if l.IsMapping(n) || l.IsList(n) {
			t.HTTP.Body = l.JSON(n, what, nil)
			return
		}
		t.HTTP.BodyText, _ = l.text(n, what)
	}}
}

func (l *loader) auth(n *node) *Auth {
	a := &Auth{}
	before := l.Faults()
	authTable.read(l, n, a, &a.Place)
	if l.Faults() > before {
		return a
	}
	for kind, keys := range authKeys {
		for _, k := range keys {
			if kind != a.Type && a.Place.Has(k) {
				l.Note(a.At(k), "%s is for auth of type %s, and this is %s, which has %s", k, kind, a.Type, strings.Join(authKeys[a.Type], ", "))
			}
		}
	}
	empty := map[string]string{AuthBearer: a.Token, AuthBasic: a.Username, AuthAPIKey: a.Key}[a.Type] == ""
	if empty {
		l.Fault(n, "auth of type %s needs %s", a.Type, map[string]string{AuthBearer: "token or token_env", AuthBasic: "username and password", AuthAPIKey: "key"}[a.Type])
	}
	if a.Type == AuthAPIKey && !a.Place.Has("header") {
		a.Header = "X-API-Key"
	}
	if a.Type == AuthAPIKey {
		l.headerName(a.Header, a.At("header"))
	}
	return a
}

// checkHTTP checks a request whose templates are over names.
func (l *loader) checkHTTP(h *HTTP, p *Place, key string, names scope) {
	if h.Method == "" {
		h.Method = "GET"
	}
	l.endpoint(h, p.At(key), names)
	for name, v := range h.Headers {
		l.template(v, p.At("headers."+name), names)
		l.headerName(name, p.At("headers."+name))
		if strings.ContainsAny(v, "\r\n") {
			l.Note(p.At("headers."+name), "the header %s has a line break in it: write it on one line", name)
		}
	}
	for name, v := range h.Query {
		l.template(v, p.At("query."+name), names)
	}
	body := p.At("body")
	if p.Has("body_template") {
		body = p.At("body_template")
	}
	l.template(h.BodyText, body, names)
	l.jsonTemplates(h.Body, body, names)
	if (h.Method == "GET" || h.Method == "HEAD") && (h.BodyText != "" || h.Body != nil) {
		l.Note(body, "%s has no body: say method: POST, or put the values in query", h.Method)
	}
}

// headerName checks the name of a header that a request is to have.
func (l *loader) headerName(name string, at Pos) {
	switch strings.ToLower(name) {
	case "host", "content-length", "transfer-encoding", "trailer":
		l.Note(at, "the request has a header %s of its own, made of its endpoint and body: leave it out", name)
	case "accept-encoding":
		l.Note(at, "answers are not unpacked, so none may be packed: leave %s out", name)
	default:
		if !isToken(name) {
			l.Note(at, "%q is no name of a header: letters, digits and -, no spaces", name)
		}
	}
}

// isToken says whether a text can be a header's name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// endpoint checks a URL: absolute, with a host that no placeholder can change.
func (l *loader) endpoint(h *HTTP, at Pos, names scope) {
	if h.Endpoint == "" {
		return
	}
	l.template(h.Endpoint, at, names)
	t, err := template.Parse(h.Endpoint)
	if err != nil {
		return // told
	}
	plain := h.Endpoint
	if before := t.Before(); len(before) > 0 {
		plain = before[0]
		rest := plain[min(strings.Index(plain, "://")+3, len(plain)):]
		if !strings.Contains(plain, "://") || !strings.ContainsAny(rest, "/?") {
			l.Note(at, "the endpoint has a placeholder in its scheme or host: callers may choose what stands behind the host only, as https://api.example.org/{{path}}")
			return
		}
		plain = plain[:strings.LastIndexAny(plain, "/?")+1]
	}
	u, err := url.Parse(plain)
	switch {
	case err != nil:
		l.Note(at, "the endpoint is no URL: %v", err.(*url.Error).Err)
	case u.Scheme != "http" && u.Scheme != "https":
		l.Note(at, "the endpoint %q is no http or https URL, as https://api.example.org/path", h.Endpoint)
	case u.User != nil:
		l.Note(at, "the endpoint has a user name in it: say it in auth, as {type: basic, username: …, password: …}")
	case strings.Contains(u.Host, "*"):
		l.Note(at, "the endpoint has a * in its host: a request goes to one host")
	case u.Host == "":
		l.Note(at, "the endpoint %q has no host, as https://api.example.org/path", h.Endpoint)
	case u.Fragment != "":
		l.Note(at, "the endpoint has a #, and nothing behind it is sent: leave it out")
	default:
		if err := (netguard.Rule{Host: u.Host, Methods: []string{h.Method}, Private: h.Private}).Validate(); err != nil {
			l.Note(at, "the endpoint: %v", err)
		}
	}
}

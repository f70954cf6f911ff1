package mcp

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Bounds of what one client may listen to.
const (
	listensMax    = 64   // subscriptions/listen on one connection
	subscribedMax = 1000 // resources in one subscription, or of one legacy session
)

// listener is one client's wish to hear of changes: a subscriptions/listen, or
// a legacy session. What it has to be told is kept as a set, so that a client
// that reads slowly makes nothing grow; one goroutine sends it, which runs only
// while there is something to send.
type listener struct {
	server *Server
	id     []byte // the raw id of the subscriptions/listen; nil in the legacy era
	ctx    context.Context

	// What follows is guarded by Server.mu.
	out       sender // nil while the client listens nowhere
	wants     lists
	uris      map[string]struct{} // resources
	news      lists               // what changed since the client was told
	updated   map[string]struct{} // resources likewise
	tasks     map[string]struct{} // by id
	taskNews  map[string]struct{}
	principal string
	sendTasks func(out sender, ids map[string]struct{}) error // nil unless it listens to tasks
	begun     []string                                        // legacy: tasks of this session, the oldest first
	visits    map[string]struct{}                             // legacy: elicitations by URL, by their IDs
	visited   map[string]struct{}                             // of them, those that are complete
	ending    bool                                            // the server takes the subscription down
	sending   bool                                            // the goroutine runs
	gone      bool

	atEnd func() error  // called when all is told that came before ending; may be nil
	done  chan struct{} // closed after it
}

// watch notes for l what changes from now on; unwatch is its partner.
func (s *Server) watch(l *listener) {
	s.mu.Lock()
	if s.listeners == nil {
		s.listeners = make(map[*listener]struct{})
	}
	s.listeners[l] = struct{}{}
	for uri := range l.uris {
		s.hear(uri, 1)
	}
	if s.closing {
		l.ending = true
		s.wake(l)
	}
	s.mu.Unlock()
	s.attend()
}

// begin has l told through out of what was noted and will be.
func (s *Server) begin(l *listener, out sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.out = out
	if l.hasNews() || l.ending {
		s.wake(l)
	}
}

// unwatch ends l. A message that is being sent is not waited for.
func (s *Server) unwatch(l *listener) {
	s.mu.Lock()
	s.forget(l)
	s.mu.Unlock()
	s.attend()
}

// forget has l told of nothing more. s.mu is held; attend is to be called then.
func (s *Server) forget(l *listener) {
	if _, known := s.listeners[l]; known {
		delete(s.listeners, l)
		for uri := range l.uris {
			s.hear(uri, -1)
		}
	}
	l.gone = true
}

// hear counts those who listen to a resource. s.mu is held.
func (s *Server) hear(uri string, more int) {
	if s.heard == nil {
		s.heard = make(map[string]int)
	}
	if s.heard[uri] += more; s.heard[uri] == 0 {
		delete(s.heard, uri)
	}
}

// attend has the templates told whether somebody listens to resources. It returns
// when they have been, so that a client that is answered then misses nothing.
func (s *Server) attend() {
	s.attending.Lock()
	defer s.attending.Unlock()
	s.mu.Lock()
	wanted := len(s.heard) > 0
	var start []func() (stop func())
	if wanted && s.unattend == nil {
		if s.options.OnListen != nil {
			start = append(start, s.options.OnListen)
		}
		for _, t := range s.offersLocked().templates.sorted {
			if t.OnListen != nil {
				start = append(start, t.OnListen)
			}
		}
	}
	s.mu.Unlock()
	for _, begin := range start {
		s.unattend = append(s.unattend, begin())
	}
	if !wanted {
		for _, stop := range s.unattend {
			stop()
		}
		s.unattend = nil
	}
}

// end has l told what there is, and l.done closed after that.
func (s *Server) end(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.ending = true
	s.wake(l)
}

// tell notes for each listener that the lists in changed did. s.mu is held.
func (s *Server) tell(changed lists) {
	for l := range s.listeners {
		if l.wants&changed != 0 {
			l.news |= l.wants & changed
			s.wake(l)
		}
	}
}

// ResourceUpdated tells the clients that listen to it that the resource with
// this URI has changed. It does not wait for them. Where nobody listens to it, it
// costs a lookup.
func (s *Server) ResourceUpdated(uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateLocked(uri)
}

// ResourcesUpdated is [Server.ResourceUpdated] for each URI that clients listen to
// and that begins with prefix: for who does not know what has changed.
func (s *Server) ResourcesUpdated(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uri := range s.heard {
		if strings.HasPrefix(uri, prefix) {
			s.updateLocked(uri)
		}
	}
}

// ListenedTo returns the URIs that clients listen to, in no order: for who has to look
// after each of them, as at files. They come from clients, and may name nothing.
func (s *Server) ListenedTo() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.AppendSeq(make([]string, 0, len(s.heard)), maps.Keys(s.heard))
}

func (s *Server) updateLocked(uri string) {
	if s.heard[uri] == 0 {
		return
	}
	for l := range s.listeners {
		if _, wanted := l.uris[uri]; !wanted {
			continue
		}
		if l.updated == nil {
			l.updated = make(map[string]struct{})
		}
		l.updated[uri] = struct{}{}
		s.wake(l)
	}
}

// Shutdown ends all subscriptions of modern clients, now and later, by an
// answer that says so. Calls go on.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for l := range s.listeners {
		if l.id != nil {
			l.ending = true
			s.wake(l)
		}
	}
}

// wake starts the goroutine of l if there is need. s.mu is held.
func (s *Server) wake(l *listener) {
	if l.sending || l.gone || l.out == nil {
		return
	}
	l.sending = true
	go l.run() // ends when all is sent, or with l.out
}

// run sends what there is to tell.
func (l *listener) run() {
	l.tell()
	l.server.attend()
}

func (l *listener) tell() {
	s := l.server
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { l.sending = false }()
	for !l.gone && l.out != nil && l.hasNews() { // it may have left since it was woken
		news, updated, tasks, visited, out := l.news, l.updated, l.taskNews, l.visited, l.out
		l.news, l.updated, l.taskNews, l.visited = 0, nil, nil, nil
		s.mu.Unlock()
		err := l.send(out, news, updated)
		if err == nil && l.sendTasks != nil {
			err = l.sendTasks(out, tasks)
		}
		if err == nil {
			err = l.sendVisited(out, visited)
		}
		s.mu.Lock()
		if err != nil {
			s.options.Logger.DebugContext(l.ctx, "a listener could not be told", "error", err)
			// Who attaches next is told, rather twice than never: it may have done so already.
			l.news |= news
			l.updated, l.taskNews, l.visited = union(updated, l.updated), union(tasks, l.taskNews), union(visited, l.visited)
			if l.out == out {
				l.out = nil
				return
			}
		}
	}
	if l.ending && !l.gone {
		s.forget(l)
		if l.atEnd != nil {
			s.mu.Unlock()
			err := l.atEnd()
			s.mu.Lock()
			if err != nil {
				s.options.Logger.DebugContext(l.ctx, "a listener was not told of its end", "error", err)
			}
		}
		close(l.done)
	}
}

// union adds more to set, which may be nil as more may.
func union(set, more map[string]struct{}) map[string]struct{} {
	if set == nil {
		return more
	}
	maps.Copy(set, more)
	return set
}

// hasNews reports whether there is something to tell. Server.mu is held.
func (l *listener) hasNews() bool {
	return l.news != 0 || len(l.updated)+len(l.taskNews)+len(l.visited) > 0
}

// send sends one round of notifications.
func (l *listener) send(out sender, news lists, updated map[string]struct{}) error {
	var frame []byte
	for _, each := range [...]struct {
		list lists
		name string
	}{{listTools, "tools"}, {listPrompts, "prompts"}, {listResources, "resources"}} {
		if news&each.list == 0 {
			continue
		}
		frame = add(add(add(frame[:0], `{"jsonrpc":"2.0","method":"notifications/`), each.name), `/list_changed"`)
		if l.id != nil {
			frame = addByte(l.appendMeta(add(frame, `,"params":{`)), '}')
		}
		if err := out.send(l.ctx, addByte(frame, '}')); err != nil {
			return err
		}
	}
	for _, uri := range slices.Sorted(maps.Keys(updated)) {
		if g := l.server.guard; g != nil && !g.guard.Shows(l.ctx, KindResource, uri) {
			continue // the rules were others when it began to listen
		}
		frame = add(frame[:0], `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{`)
		if l.id != nil {
			frame = addByte(l.appendMeta(frame), ',')
		}
		frame = add(appendString(add(frame, `"uri":`), uri), "}}")
		if err := out.send(l.ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// sendTaskNews sends the tasks with these ids as they are now.
func (l *listener) sendTaskNews(out sender, ids map[string]struct{}) error {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		f, err := l.server.findTask(l.ctx, id, l.principal)
		if err != nil {
			continue // it has ended, and is forgotten
		}
		frame := l.appendMeta([]byte(`{"jsonrpc":"2.0","method":"notifications/tasks","params":{`))
		frame = add(add(addByte(frame, ','), f.members), "}}")
		if err := out.send(l.ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// appendMeta appends the member _meta that names the subscription.
func (l *listener) appendMeta(dst []byte) []byte {
	dst = add(add(dst, `"_meta":{"`+metaSubscriptionID+`":`), l.id)
	return addByte(dst, '}')
}

// newListener reads the filter of a subscriptions/listen, and watches. The client
// is told nothing before begin.
func (s *Server) newListener(ctx context.Context, r *request) (*listener, *wireError) {
	if s.guard != nil {
		return s.guard.listen(s, ctx, r)
	}
	return s.makeListener(ctx, r)
}

func (s *Server) makeListener(ctx context.Context, r *request) (*listener, *wireError) {
	l := &listener{server: s, id: slices.Clone(r.id), ctx: ctx, done: make(chan struct{}), principal: r.link.principal}
	if len(r.arguments) == 0 || r.arguments[0] != '{' {
		return nil, refuse(CodeInvalidParams, "subscriptions/listen: params.notifications is an object")
	}
	now := s.offers()
	for name, value := range membersOf(r.arguments) {
		var list lists
		switch name {
		case "toolsListChanged":
			list = listTools
		case "promptsListChanged":
			if list = listPrompts; !now.prompts.used {
				continue
			}
		case "resourcesListChanged":
			if list = listResources; !now.hasResources() {
				continue
			}
		case "resourceSubscriptions":
			if bad := l.readURIs(value, now); bad != nil {
				return nil, bad
			}
			continue
		case "taskIds":
			if now.serve.listenTask == nil {
				continue
			}
			if bad := now.serve.listenTask(l, value, r); bad != nil {
				return nil, bad
			}
			continue
		default:
			continue // of an extension; the acknowledgment leaves it out
		}
		switch value[0] {
		case 't':
			l.wants |= list
		case 'f':
		default:
			return nil, refuse(CodeInvalidParams, "subscriptions/listen: notifications."+name+" is a boolean, not "+describe(value))
		}
	}
	s.watch(l)
	return l, nil
}

// readURIs reads the resources that a filter names.
func (l *listener) readURIs(raw []byte, now *snapshot) *wireError {
	if raw[0] != '[' {
		return refuse(CodeInvalidParams, "subscriptions/listen: notifications.resourceSubscriptions is an array, not "+describe(raw))
	}
	uris := map[string]struct{}{}
	for element := range elementsOf(raw) {
		if element[0] != '"' {
			return refuse(CodeInvalidParams, "subscriptions/listen: a resource to listen to is a URI, not "+describe(element))
		}
		if len(uris) >= subscribedMax {
			return tooManySubscribed()
		}
		uri := unquoted(element)
		if bad := l.server.mayListen(l.ctx, now, uri); bad != nil {
			return bad
		}
		uris[uri] = struct{}{}
	}
	if now.hasResources() {
		l.uris = uris
	}
	return nil
}

// readTasks reads the tasks that a filter names, of which those are listened to
// that there are.
func (l *listener) readTasks(raw []byte, r *request) *wireError {
	if r.client.can&canTasks == 0 {
		return errNeedsTasks()
	}
	if raw[0] != '[' {
		return refuse(CodeInvalidParams, "subscriptions/listen: notifications.taskIds is an array, not "+describe(raw))
	}
	if _, err := l.server.joinTasks(); err != nil { // to hear of those that others run
		return refuse(CodeInternal, err.Error())
	}
	l.tasks, l.sendTasks = map[string]struct{}{}, l.sendTaskNews
	for element := range elementsOf(raw) {
		if element[0] != '"' || len(l.tasks) >= taskIDsMax {
			return refuse(CodeInvalidParams, "subscriptions/listen: notifications.taskIds are at most "+itoa(taskIDsMax)+" strings")
		}
		id := unquoted(element)
		if _, err := l.server.findTask(l.ctx, id, l.principal); err == nil {
			l.tasks[id] = struct{}{}
		}
	}
	return nil
}

func tooManySubscribed() *wireError {
	return refuse(CodeInvalidParams, "too many resources are listened to; at most 1000 are allowed at once")
}

// acknowledgment is the first message of a subscription: what it listens to.
func (l *listener) acknowledgment() []byte {
	out := l.appendMeta([]byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{`))
	out = add(out, `,"notifications":{`)
	from := len(out)
	for _, each := range [...]struct {
		list lists
		name string
	}{{listTools, "tools"}, {listPrompts, "prompts"}, {listResources, "resources"}} {
		if l.wants&each.list != 0 {
			out = add(add(addByte(appendComma(out, from), '"'), each.name), `ListChanged":true`)
		}
	}
	if l.uris != nil {
		out = add(appendComma(out, from), `"resourceSubscriptions":`)
		out = appendStrings(out, slices.Sorted(maps.Keys(l.uris)))
	}
	if l.tasks != nil {
		out = add(appendComma(out, from), `"taskIds":`)
		out = appendStrings(out, slices.Sorted(maps.Keys(l.tasks)))
	}
	return add(out, "}}}")
}

// farewell is the answer to a subscriptions/listen that the server takes down.
func (l *listener) farewell() []byte {
	out := add(add([]byte(`{"jsonrpc":"2.0","id":`), l.id), `,"result":{"resultType":"complete",`)
	return add(l.appendMeta(out), "}}")
}

// hear returns the listener of a legacy session, which hears of all lists.
func (c *Session) hear() *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener == nil {
		c.listener = &listener{
			server: c.server, ctx: c.ctx, out: c.out, done: make(chan struct{}), principal: c.principal,
			wants: listTools | listPrompts | listResources,
		}
		if !c.closed {
			c.server.watch(c.listener)
		}
	}
	return c.listener
}

// subscribe serves resources/subscribe and resources/unsubscribe.
func (s *Server) subscribe(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	if r.act == actUnsubscribe {
		s.unsubscribe(r)
		return out, nil
	}
	if r.link.session == nil {
		return out, refuse(CodeInvalidRequest, "resources/subscribe needs a session; begin one with initialize")
	}
	now := s.offers()
	if handler, _ := now.find(r.name); handler == nil {
		return out, noResource(r)
	}
	if bad := s.mayListen(ctx, now, r.name); bad != nil {
		return out, bad
	}
	l := r.link.session.hear()
	bad := s.addURI(l, r.name)
	if bad == nil {
		s.attend()
	}
	return out, bad
}

// addURI has l told of the resource with this URI.
func (s *Server) addURI(l *listener, uri string) *wireError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := l.uris[uri]; again {
		return nil
	}
	if len(l.uris) >= subscribedMax {
		return tooManySubscribed()
	}
	if l.uris == nil {
		l.uris = make(map[string]struct{})
	}
	l.uris[uri] = struct{}{}
	if _, watched := s.listeners[l]; watched {
		s.hear(uri, 1)
	}
	return nil
}

// unsubscribe forgets a subscription; that there is none is no mistake.
func (s *Server) unsubscribe(r *request) {
	if r.link.session == nil {
		return
	}
	l := r.link.session.hear()
	s.mu.Lock()
	_, listened := l.uris[r.name]
	if _, watched := s.listeners[l]; listened && watched {
		s.hear(r.name, -1)
	}
	delete(l.uris, r.name)
	delete(l.updated, r.name)
	s.mu.Unlock()
	s.attend()
}

// Attach has the session's client told through out of what belongs to no
// request: changes of lists, resources and tasks. What changed while nothing was
// attached is told now. Attach returns when ctx ends, out fails, the session
// is closed, or another Attach takes over; the error says which. It does not
// use out afterwards.
func (c *Session) Attach(ctx context.Context, out Stream) error {
	own := newStreamSender(out)
	defer own.close()
	l := c.hear()
	replaced := make(chan struct{})
	s := c.server
	s.mu.Lock()
	if c.detach != nil {
		close(c.detach)
	}
	c.detach = replaced
	l.out = own
	if l.hasNews() {
		s.wake(l)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.out == own {
			l.out = nil
		}
		if c.detach == replaced {
			c.detach = nil
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	case <-own.broken:
		return own.failure
	case <-replaced:
		return errReplaced
	}
}

var errReplaced = errors.New("mcp: the client opened another stream of this session")

package mcp

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// TaskMode says whether calls of a tool may become tasks: work that a client
// polls for instead of waiting. Modern clients know them by the extension
// io.modelcontextprotocol/tasks (SEP-2663), legacy ones of version 2025-11-25 ask
// for them call by call (basic/utilities/tasks, experimental there). It is one of
// the three below; the zero value is TaskNever.
type TaskMode struct{ kind *taskKind }

// The modes. They are variables, so that a build that names neither of the
// latter two does not carry the code of tasks.
var (
	TaskNever    TaskMode
	TaskOptional = TaskMode{&taskOptional} // for clients that know tasks; others wait
	TaskRequired = TaskMode{&taskRequired} // clients that could ask for a task and do not are refused
)

type taskKind struct {
	required bool
	listing  string // the end of a tool's entry in legacy lists
	serve    func(c *Catalog)
}

var (
	taskOptional = taskKind{serve: (*Catalog).serveTasks, listing: `,"execution":{"taskSupport":"optional"}}`}
	taskRequired = taskKind{serve: (*Catalog).serveTasks, listing: `,"execution":{"taskSupport":"required"}}`, required: true}
)

// TaskOptions says how long a task lives. The zero value works.
type TaskOptions struct {
	TTL  time.Duration // from its beginning, with its result; default one hour
	Poll time.Duration // how often a client should ask; default one second
}

// Bounds of tasks.
const (
	taskTTLDefault  = time.Hour
	taskPollDefault = time.Second
	tasksDefault    = 1000 // that are kept at once
	taskIDsMax      = 100  // that one subscription listens to
)

// taskStatus is the status of a task on the wire.
type taskStatus string

const (
	taskWorking   taskStatus = "working"
	taskAsking    taskStatus = "input_required"
	taskCompleted taskStatus = "completed"
	taskFailed    taskStatus = "failed"
	taskCancelled taskStatus = "cancelled"
)

func (s taskStatus) ended() bool { return s != taskWorking && s != taskAsking }

// task is a task that this process runs.
type task struct {
	server    *Server
	id        string
	principal string
	created   time.Time
	options   TaskOptions
	legacy    bool            // a client of 2025-11-25 began it
	ctx       context.Context // ends when the task is cancelled, or its TTL has passed
	stop      context.CancelFunc
	peers     *taskPeers // nil: the server shares its tasks with none

	storing sync.Mutex // held from making a record until it is stored: the last one stays
	stored  []byte     // that record, among peers; storing guards it

	mu        sync.Mutex
	status    taskStatus
	message   string
	updated   time.Time
	cancelled bool              // the client has asked for it
	asked     map[string][]byte // open questions by key: the members method and params
	carried   map[string]bool   // legacy: of them, those that a tasks/result has sent
	used      map[string]bool   // keys of all questions
	answers   map[string]taskAnswer
	changed   chan struct{} // closed and made anew with each change
	outcome   []byte        // the member result or error, when it has ended
	taken     []byte        // the members that another server has stored as its end
}

// taskAnswer is a client's answer to a question of a task.
type taskAnswer struct {
	raw []byte
	err error
}

// StartTask makes a task of this call, when its tool allows it and the client
// knows tasks: the client gets a handle at once, and polls for what the handler
// returns. From then on the handler works under the context returned, which
// ends when the client cancels the task or its TTL has passed, not when the
// client goes away; questions wait for the client's answers, log messages are
// dropped, and the Message of a Progress becomes the task's.
//
// Where there can be no task, StartTask returns ctx and the call goes on as it
// is. Ask what has to be known before the task begins before it is started.
func (c *Call) StartTask(ctx context.Context, o *TaskOptions) (context.Context, error) {
	if c.starts == nil {
		return ctx, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.task != nil:
		return c.task.ctx, nil
	case c.round != nil && len(c.round.wanted) > 0:
		return nil, ErrInputRequired
	case c.over || c.ctx.Err() != nil:
		return nil, ErrClosed
	}
	t, err := c.from.link.server.newTask(c.ctx, c.from, o)
	if err != nil {
		return nil, err
	}
	c.task = t
	c.starts <- t // has room for one
	return t.ctx, nil
}

// newTask registers a task, and stores it before anyone hears of it. It has ctx's values,
// by which its caller is known, and outlives it.
func (s *Server) newTask(ctx context.Context, r *request, o *TaskOptions) (*task, error) {
	t := &task{
		server: s, id: s.sealer.Name(), principal: r.link.principal, legacy: !r.modern, created: s.now(), status: taskWorking,
		used: make(map[string]bool), answers: make(map[string]taskAnswer), changed: make(chan struct{}),
	}
	if o != nil {
		t.options = *o
	}
	if wish := r.taskTTL; wish > 0 && (wish < t.options.TTL || t.options.TTL <= 0) {
		t.options.TTL = wish
	}
	if t.options.TTL <= 0 {
		t.options.TTL = taskTTLDefault
	}
	if t.options.Poll <= 0 {
		t.options.Poll = taskPollDefault
	}
	peers, err := s.joinTasks()
	if err != nil {
		return nil, err
	}
	t.peers, t.updated = peers, t.created
	t.ctx, t.stop = context.WithTimeout(context.WithoutCancel(ctx), t.options.TTL)
	if err := s.keepTask(t); err != nil {
		t.stop()
		return nil, err
	}
	if err := t.put(t.recordLocked()); err != nil {
		s.dropTask(t)
		t.stop()
		return nil, wrap("storing a task: ", err)
	}
	return t, nil
}

// keepTask has t found as one that this process runs; dropTask is its partner.
func (s *Server) keepTask(t *task) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return ErrClosed
	case len(s.tasks) >= s.options.MaxTasks:
		return errTooManyTasks
	}
	if s.tasks == nil {
		s.tasks = make(map[string]*task)
	}
	s.tasks[t.id] = t
	return nil
}

func (s *Server) dropTask(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, t.id)
}

// serveTasks has tasks served from now on.
func (c *Catalog) serveTasks() {
	if c.options.Tasks == nil {
		c.options.Tasks = &memoryTasks{max: c.options.MaxTasks}
	}
	c.serve.task, c.serve.callTask = (*Server).serveTask, (*Server).callTask
	c.serve.created, c.serve.listenTask = (*Server).created, (*listener).readTasks
	c.serve.wantsTask = readTaskWish
}

// callTask runs a tool whose calls may become tasks. The handler has a
// goroutine of its own: it outlives the request when it becomes a task.
func (s *Server) callTask(ctx context.Context, r *request) (*CallResult, *Call, error) {
	own := r.clone()
	req := &CallRequest{
		Name: own.tool.Name, Arguments: own.arguments, Meta: own.meta, ProtocolVersion: own.client.version,
		handle: handle{from: own, ctx: ctx, starts: make(chan *task, 1)},
	}
	type outcome struct {
		result *CallResult
		err    error
	}
	done := make(chan outcome, 1)
	call := req.Call()
	s.working.Add(1)
	go func() { // ends when the handler returns; Close waits for it
		defer s.working.Done()
		result, err := s.runTool(ctx, own.tool, req)
		call.mu.Lock()
		t := call.task
		call.mu.Unlock()
		if t != nil {
			s.finishTask(t, own, result, err)
		}
		req.finish()
		done <- outcome{result, err}
	}()
	begun := func(t *task) (*CallResult, *Call, error) {
		r.follow(t)
		return nil, call, &started{t}
	}
	select {
	case t := <-call.starts:
		return begun(t)
	case o := <-done:
		select {
		case t := <-call.starts: // it ended at once
			return begun(t)
		default:
		}
		if !own.wantsTask {
			return o.result, call, o.err
		}
		t, err := s.newTask(ctx, own, nil) // the client is owed one
		if err != nil {
			return nil, call, err
		}
		s.finishTask(t, own, o.result, o.err)
		return begun(t)
	}
}

// started is the error that says that a call has become a task.
type started struct{ task *task }

func (*started) Error() string { return "the call has become a task" }

// clone returns a copy of r that shares no memory with the reader.
func (r *request) clone() *request {
	own := *r
	own.scanned = nil
	for _, part := range [...]*[]byte{&own.id, &own.arguments, &own.meta, &own.retry} {
		*part = slices.Clone(*part)
	}
	return &own
}

// finishTask stores what a task's handler has made.
func (s *Server) finishTask(t *task, r *request, result *CallResult, err error) {
	defer t.stop()
	status, outcome := taskCompleted, []byte(nil)
	members, bad := s.appendOutcome(t.ctx, r, result, err, []byte(`,"result":{"resultType":"complete",`))
	t.storing.Lock()
	defer t.storing.Unlock()
	t.mu.Lock()
	if !t.status.ended() {
		t.message = "" // it told of the work
	}
	switch {
	case t.status.ended(), t.cancelled && err != nil:
		status = taskCancelled
	case bad == nil && err != nil && t.ctx.Err() == context.DeadlineExceeded:
		bad = refuse(CodeInternal, "the task ran longer than its "+t.options.TTL.String())
		fallthrough
	case bad != nil:
		status = taskFailed
		outcome = appendErrorObject([]byte(`,"error":`), bad)
		t.message = bad.message
	default:
		outcome = addByte(members, '}')
	}
	t.status, t.outcome, t.asked = status, outcome, nil
	t.changedLocked()
	record := t.recordLocked()
	t.mu.Unlock()
	left := max(t.options.TTL-s.now().Sub(t.created), time.Minute)
	if err := t.putAgain(record, left); err != nil {
		s.options.Logger.ErrorContext(t.ctx, "a task's result could not be stored", "task", t.id, "error", err)
		return // it stays where it is, until the process ends
	}
	s.dropTask(t)
	s.tellTask(t.id)
}

// changedLocked notes that the task has changed, and wakes who waits for that.
func (t *task) changedLocked() {
	t.updated = t.server.now()
	close(t.changed)
	t.changed = make(chan struct{})
}

// recordLocked is what the store keeps: the task as the wire has it, its principal,
// and among peers the server that runs it.
func (t *task) recordLocked() []byte {
	server := ""
	if t.peers != nil {
		server = t.peers.name
	}
	return recordOf(t.principal, server, t.appendLocked(nil))
}

// appendLocked appends the members of a task, without a leading comma.
func (t *task) appendLocked(out []byte) []byte {
	if t.taken != nil {
		return add(out, t.taken)
	}
	out = appendString(add(out, `"taskId":`), t.id)
	out = addByte(add(add(out, `,"status":"`), t.status), '"')
	out = appendOptional(out, "statusMessage", t.message)
	out = addByte(t.created.UTC().AppendFormat(add(out, `,"createdAt":"`), timeFormat), '"')
	out = addByte(t.updated.UTC().AppendFormat(add(out, `,"lastUpdatedAt":"`), timeFormat), '"')
	out = strconv.AppendInt(add(out, `,"ttlMs":`), t.options.TTL.Milliseconds(), 10)
	out = strconv.AppendInt(add(out, `,"pollIntervalMs":`), t.options.Poll.Milliseconds(), 10)
	if t.status == taskAsking {
		out = add(out, `,"inputRequests":{`)
		for i, key := range slices.Sorted(maps.Keys(t.asked)) {
			if i > 0 {
				out = addByte(out, ',')
			}
			out = add(addByte(appendString(out, key), ':'), t.asked[key])
		}
		out = addByte(out, '}')
	}
	return add(out, t.outcome)
}

// timeFormat is ISO 8601 in UTC, to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z"

// askByTask asks a client that polls for the task.
func (c *Call) askByTask(ctx context.Context, t *task, questions map[string]Question) (map[string]Answer, error) {
	frames := make(map[string][]byte, len(questions))
	for key, q := range questions {
		params, err := q.appendParams(nil, !t.legacy)
		if err != nil {
			return nil, err
		}
		if t.legacy {
			params = relatedTo(t.id, params)
			c.expectVisit(q)
		}
		frames[key] = appendQuestion([]byte{'{'}, q.method(), params)
	}
	if err := t.ask(frames); err != nil {
		return nil, err
	}
	t.save()
	answers := make(map[string]Answer, len(questions))
	for len(answers) < len(questions) {
		t.mu.Lock()
		for key := range questions {
			if a, ok := t.answers[key]; ok && a.err != nil {
				t.mu.Unlock()
				return nil, a.err
			} else if ok {
				answers[key] = Answer{a.raw}
			}
		}
		changed := t.changed
		t.mu.Unlock()
		if len(answers) == len(questions) {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.ctx.Done():
			return nil, t.ctx.Err()
		}
	}
	return answers, nil
}

// ask opens questions. Their keys are new to the task.
func (t *task) ask(frames map[string][]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.used)+len(frames) > givenMax {
		return newError("mcp: Ask: a task may ask " + itoa(givenMax) + " questions")
	}
	for key := range frames {
		if t.used[key] {
			return newError("mcp: Ask: the key " + quote(key) + " was used by an earlier question of this task")
		}
	}
	if t.asked == nil {
		t.asked = make(map[string][]byte)
	}
	for key, frame := range frames {
		t.used[key] = true
		t.asked[key] = frame
	}
	t.status = taskAsking
	t.changedLocked()
	return nil
}

// take takes a client's answers; those to no open question are ignored.
func (t *task) take(responses []byte) {
	t.mu.Lock()
	for key, value := range membersOf(responses) {
		if _, open := t.asked[key]; open && value[0] == '{' {
			t.answerLocked(key, taskAnswer{raw: slices.Clone(value)})
		}
	}
	t.changedLocked()
	t.mu.Unlock()
	t.save()
}

// answerLocked closes a question.
func (t *task) answerLocked(key string, a taskAnswer) {
	delete(t.asked, key)
	t.answers[key] = a
	if t.status == taskAsking && len(t.asked) == 0 {
		t.status = taskWorking
	}
}

// save stores the task as it is now, and tells who listens to it.
func (t *task) save() {
	t.storing.Lock()
	defer t.storing.Unlock()
	t.store()
}

// store is save where t.storing is held.
func (t *task) store() {
	t.mu.Lock()
	record := t.recordLocked()
	t.mu.Unlock()
	if err := t.putAgain(record, t.options.TTL); err != nil {
		t.server.options.Logger.ErrorContext(t.ctx, "a task could not be stored", "task", t.id, "error", err)
	}
	t.server.tellTask(t.id)
}

// told returns the members of the task for a client. An end is told when it is
// stored, so that a client that has seen it never sees the task run or fail later.
func (t *task) told() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.ended() {
		t.mu.Unlock()
		t.storing.Lock() // waits for finishTask, or cancel
		t.mu.Lock()
		defer t.storing.Unlock()
	}
	return t.appendLocked(nil)
}

// findTask returns a task as it is now.
func (s *Server) findTask(ctx context.Context, id, principal string) (foundTask, error) {
	s.mu.Lock()
	t := s.tasks[id]
	s.mu.Unlock()
	switch {
	case t != nil && t.principal != principal, len(id) > keyLengthMax:
		return foundTask{}, ErrNoTask
	case t != nil:
		return foundTask{members: t.told(), task: t}, nil
	}
	return s.storedTask(ctx, id, principal)
}

// abandoned returns the members of a stored task; one that nobody works on any
// more has failed.
func abandoned(members []byte) []byte {
	whole := addByte(add([]byte{'{'}, members), '}')
	out := []byte(nil)
	for name, value := range membersOf(whole) {
		if name == "status" && taskStatus(unquoted(value)).ended() {
			return members
		}
		if name == "inputRequests" || name == "statusMessage" {
			continue
		}
		if out != nil {
			out = addByte(out, ',')
		}
		out = addByte(appendString(out, name), ':')
		if name == "status" {
			value = []byte(`"failed"`)
		}
		out = add(out, value)
	}
	return add(out, `,"statusMessage":"the server that ran this task has ended","error":{"code":-32603,"message":"the server that ran this task has ended"}`)
}

// serveTask serves tasks/get, tasks/update and tasks/cancel.
func (s *Server) serveTask(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	if !r.modern {
		return s.serveLegacyTask(ctx, r, out)
	}
	f, err := s.findTask(ctx, r.name, r.link.principal)
	if err != nil {
		return out, noTask(r, err)
	}
	switch r.act {
	case actTasksGet:
		return add(addByte(out, ','), f.members), nil
	case actTasksUpdate:
		if f.task == nil {
			return out, s.sendTask(ctx, f, r.name, tellAnswers+string(r.arguments))
		}
		f.task.take(r.arguments)
	case actTasksCancel:
		if f.task == nil {
			return out, s.sendTask(ctx, f, r.name, tellCancel)
		}
		f.task.cancelAsked()
	}
	return out, nil
}

// created returns the result that hands out a task, when err says that the call
// has become one.
func (s *Server) created(err error) *wireError {
	begun, ok := errors.AsType[*started](err)
	if !ok {
		return nil
	}
	t := begun.task
	// As it began, whatever has become of it: the rest is for tasks/get.
	seed := &task{id: t.id, created: t.created, updated: t.created, options: t.options, status: taskWorking}
	if t.legacy {
		return &wireError{result: addByte(appendLegacyTask([]byte(`"task":{`), seed.appendLocked(nil)), '}')}
	}
	out := add([]byte(`"resultType":"task",`), s.metaMember)
	return &wireError{result: seed.appendLocked(addByte(out, ','))}
}

// tellTask has those told who listen to a task.
func (s *Server) tellTask(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		if _, wanted := l.tasks[id]; !wanted {
			continue
		}
		if l.taskNews == nil {
			l.taskNews = make(map[string]struct{})
		}
		l.taskNews[id] = struct{}{}
		s.wake(l)
	}
}

// Close ends what goes on beside the connections: subscriptions are answered,
// and tasks are cancelled and waited for.
func (s *Server) Close() {
	s.Shutdown()
	s.mu.Lock()
	running := slices.Collect(maps.Values(s.tasks))
	s.mu.Unlock()
	for _, t := range running {
		t.stop()
	}
	s.working.Wait()
	s.leaveTasks()
}

// errNeedsTasks is the answer to a client that does not know tasks.
func errNeedsTasks() *wireError {
	e := &CapabilityError{"extensions." + extensionTasks}
	return &wireError{code: CodeMissingCapability, message: e.Error(), data: e.data()}
}

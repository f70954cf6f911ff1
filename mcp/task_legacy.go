package mcp

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Tasks of version 2025-11-25 (basic/utilities/tasks), where they are experimental.
// They are the tasks of the modern era but for what is said about them:
//
//   - The client asks for a task, with the call's member task; a handler that
//     makes none of its call is finished in one.
//   - The result is fetched by tasks/result, which waits for it; and meanwhile
//     carries the task's questions to the client.
//   - What is about a task says so in its _meta.
//   - A client lists the tasks that its own session began. Those of others it
//     cannot name, and anonymous clients are all alike.

// taskTTLMax bounds what a client may wish for.
const taskTTLMax = 24 * time.Hour

// metaRelatedTask names the task that a message belongs to.
const metaRelatedTask = metaPrefix + "related-task"

// readTaskWish reads the member task of a tools/call; raw is nil where there is
// none.
func readTaskWish(r *request, raw []byte) *wireError {
	kind := r.tool.Task.kind
	switch {
	case raw == nil && kind.required:
		return refuse(CodeMethodNotFound, "tool "+r.tool.Name+" is called as a task: add the member task to params (basic/utilities/tasks)")
	case raw == nil:
		return nil
	case kind == nil:
		return refuse(CodeMethodNotFound, "tool "+r.tool.Name+" cannot be called as a task; leave out params.task")
	case raw[0] != '{':
		return refuse(CodeInvalidParams, "tools/call: params.task is an object, not "+describe(raw))
	}
	r.wantsTask = true
	for name, value := range membersOf(raw) {
		if name != "ttl" {
			continue
		}
		millis, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || millis <= 0 {
			return refuse(CodeInvalidParams, "tools/call: params.task.ttl is a number of milliseconds above 0, not "+shown(value))
		}
		r.taskTTL = time.Duration(min(millis, taskTTLMax.Milliseconds())) * time.Millisecond
	}
	return nil
}

// serveLegacyTask serves tasks/get, tasks/result, tasks/list and tasks/cancel.
func (s *Server) serveLegacyTask(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	switch r.act {
	case actTasksList:
		return s.listTasks(ctx, r, out)
	case actTasksResult:
		return s.awaitTask(ctx, r, out)
	}
	f, err := s.findTask(ctx, r.name, r.link.principal)
	if err != nil {
		return out, noTask(r, err)
	}
	switch {
	case r.act != actTasksCancel:
	case f.server != "":
		members, bad := s.cancelThere(ctx, r, f)
		if bad != nil {
			return out, bad
		}
		f.members = members
	case f.task == nil || !f.task.cancel():
		return out, refuse(CodeInvalidParams, "the task "+shown([]byte(r.name))+" has ended already")
	default:
		f.members = f.task.told()
	}
	return appendLegacyTask(out, f.members), nil
}

// noTask is the answer when findTask has failed.
func noTask(r *request, err error) *wireError {
	if errors.Is(err, ErrNoTask) {
		return refuse(CodeInvalidParams, "there is no task "+shown([]byte(r.name))+", or no longer")
	}
	return refuse(CodeInternal, "the task cannot be read: "+err.Error())
}

// cancel ends the task at once, whatever its handler makes of it; false when it
// has ended.
func (t *task) cancel() bool {
	t.storing.Lock()
	defer t.storing.Unlock()
	t.mu.Lock()
	if t.status.ended() {
		t.mu.Unlock()
		return false
	}
	t.status, t.cancelled, t.asked = taskCancelled, true, nil
	t.message = "the task was cancelled by request"
	t.changedLocked()
	t.mu.Unlock()
	t.stop()
	t.store()
	return true
}

// appendLegacyTask appends the members of a task as legacy clients know them;
// members are those of the modern era. A call whose result is an error has failed.
func appendLegacyTask(out, members []byte) []byte {
	from := len(out)
	var status []byte
	failed := false
	for name, value := range membersOf(addByte(add([]byte{'{'}, members), '}')) {
		switch name {
		case "status":
			status = value
			continue
		case "result":
			failed = isErrorResult(value)
			continue
		case "ttlMs":
			name = "ttl"
		case "pollIntervalMs":
			name = "pollInterval"
		case "taskId", "statusMessage", "createdAt", "lastUpdatedAt":
		default:
			continue
		}
		out = add(addByte(appendString(appendComma(out, from), name), ':'), value)
	}
	if failed {
		status = []byte(`"failed"`)
	}
	return add(add(appendComma(out, from), `"status":`), status)
}

// isErrorResult reports whether a tool's result says that it is an error.
func isErrorResult(result []byte) bool {
	for name, value := range membersOf(result) {
		if name == "isError" {
			return value[0] == 't'
		}
	}
	return false
}

// awaitTask serves tasks/result: it waits for the end of the task.
func (s *Server) awaitTask(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	for {
		f, err := s.findTask(ctx, r.name, r.link.principal)
		if err != nil {
			return out, noTask(r, err)
		}
		if f.server != "" { // its questions go to those that ask there
			if err := lookAgain(ctx); err != nil {
				return out, refuse(CodeInternal, err.Error())
			}
			continue
		}
		t := f.task
		var changed chan struct{}
		var questions map[string][]byte
		if t != nil {
			changed, questions = t.next(r.link.session != nil && r.link.out != nil)
		}
		if changed == nil {
			return s.appendTaskOutcome(out, r.name, f.members, t)
		}
		if len(questions) > 0 {
			if err := t.carry(ctx, r, questions); err != nil {
				return out, refuse(CodeInternal, "the client cannot be asked what the task needs: "+err.Error())
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return out, refuse(CodeInternal, ctx.Err().Error())
		}
	}
}

// next returns what is closed when the task changes, nil when it has ended, and
// the questions that nobody has taken to the client yet: from now on the caller has.
func (t *task) next(carrying bool) (changed chan struct{}, questions map[string][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.ended() {
		return nil, nil
	}
	if !t.legacy || !carrying {
		return t.changed, nil
	}
	for key, frame := range t.asked {
		if t.carried[key] {
			continue
		}
		if t.carried == nil {
			t.carried = make(map[string]bool)
		}
		if questions == nil {
			questions = make(map[string][]byte)
		}
		t.carried[key] = true
		questions[key] = frame
	}
	return t.changed, questions
}

// carry asks the client, and gives the task its answers. An error says that there
// are no answers, and that another tasks/result may try.
func (t *task) carry(ctx context.Context, r *request, questions map[string][]byte) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(t.ctx, stop)() // nobody needs the answer any more
	var waiting sync.WaitGroup
	failures := make([]error, len(questions))
	i := 0
	for key, frame := range questions {
		failure := &failures[i]
		i++
		waiting.Go(func() {
			method, params := "", []byte(nil)
			for name, value := range membersOf(frame) {
				switch name {
				case "method":
					method = unquoted(value)
				case "params":
					params = value
				}
			}
			raw, err := r.link.session.request(ctx, r.link.out, method, params)
			*failure = t.carriedTo(key, raw, err)
		})
	}
	waiting.Wait()
	if t.ctx.Err() != nil {
		return nil // its end is for the caller to find
	}
	return errors.Join(failures...)
}

// carriedTo notes the answer to a question that was carried. The error is that of
// a question that has not reached an answer.
func (t *task) carriedTo(key string, raw []byte, err error) error {
	_, answered := errors.AsType[*ClientError](err)
	t.mu.Lock()
	delete(t.carried, key)
	if _, open := t.asked[key]; !open || err != nil && !answered {
		t.mu.Unlock()
		return err
	}
	t.answerLocked(key, taskAnswer{raw, err})
	t.changedLocked()
	t.mu.Unlock()
	t.save()
	return nil
}

// appendTaskOutcome appends the members of the result that a task has ended with,
// or returns its error. A task that has ended just now is read again.
func (s *Server) appendTaskOutcome(out []byte, id string, members []byte, t *task) ([]byte, *wireError) {
	if t != nil {
		members = t.told()
	}
	for name, value := range membersOf(addByte(add([]byte{'{'}, members), '}')) {
		switch name {
		case "result":
			from := len(out)
			for name, value := range membersOf(value) {
				if name != "resultType" { // which the modern era added
					out = add(addByte(appendString(appendComma(out, from), name), ':'), value)
				}
			}
			return addByte(appendRelated(appendComma(out, from), id), '}'), nil
		case "error":
			return out, readError(value)
		}
	}
	return out, refuse(CodeInternal, "the task was cancelled")
}

// readError reads an error object that this package wrote.
func readError(raw []byte) *wireError {
	bad := &wireError{}
	for name, value := range membersOf(raw) {
		switch name {
		case "code":
			bad.code, _ = strconv.Atoi(string(value))
		case "message":
			bad.message = unquoted(value)
		case "data":
			bad.data = bytes.Clone(value)
		}
	}
	return bad
}

// appendRelated appends the member _meta that names a task, without its last brace.
func appendRelated(dst []byte, id string) []byte {
	return addByte(appendString(add(dst, `"_meta":{"`+metaRelatedTask+`":{"taskId":`), id), '}')
}

// relatedTo returns params of a request that belongs to a task; params is a JSON
// object, or empty.
func relatedTo(id string, params []byte) []byte {
	out := addByte(appendRelated([]byte{'{'}, id), '}')
	if len(params) <= len("{}") {
		return addByte(out, '}')
	}
	return add(addByte(out, ','), params[1:])
}

// tell has the client told what the task is at.
func (t *task) tell(message string) {
	t.mu.Lock()
	if t.status.ended() {
		t.mu.Unlock()
		return
	}
	t.message = message
	t.changedLocked()
	t.mu.Unlock()
	if t.legacy {
		t.server.tellTask(t.id)
	}
}

// follow has the client of a legacy request told of the task that it has become,
// when it has the task's name.
func (r *request) follow(t *task) {
	session := r.link.session
	if !t.legacy || session == nil {
		return
	}
	r.after = func() {
		session.follow(t)
		t.mu.Lock()
		news := t.status != taskWorking || t.message != ""
		t.mu.Unlock()
		if news {
			t.server.tellTask(t.id)
		}
	}
}

// follow has the session's client told of a task that it has begun.
func (c *Session) follow(t *task) {
	l := c.hear()
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.begun) >= s.options.MaxTasks {
		delete(l.tasks, l.begun[0])
		l.begun = slices.Delete(l.begun, 0, 1)
	}
	l.begun = append(l.begun, t.id)
	if l.tasks == nil {
		l.tasks, l.sendTasks = make(map[string]struct{}), l.sendTaskStatus
	}
	l.tasks[t.id] = struct{}{}
}

// sendTaskStatus sends notifications/tasks/status; of a task that has ended it is
// the last one.
func (l *listener) sendTaskStatus(out sender, ids map[string]struct{}) error {
	for id := range ids {
		f, err := l.server.findTask(l.ctx, id, l.principal)
		if err == nil {
			frame := appendLegacyTask([]byte(`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{`), f.members)
			if err := out.send(l.ctx, add(frame, "}}")); err != nil {
				return err
			}
		}
		if f.task == nil {
			l.server.mu.Lock()
			delete(l.tasks, id)
			l.server.mu.Unlock()
		}
	}
	return nil
}

// listTasks serves tasks/list: those that the session began and that there are,
// the oldest first.
func (s *Server) listTasks(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	const prefix = "tasks:"
	var ids []string
	if r.link.session != nil {
		l := r.link.session.hear()
		s.mu.Lock()
		ids = slices.Clone(l.begun)
		s.mu.Unlock()
	}
	if r.name != "" {
		raw, err := base64.RawURLEncoding.DecodeString(r.name)
		last, ok := strings.CutPrefix(string(raw), prefix)
		at := slices.Index(ids, last)
		if err != nil || !ok || at < 0 {
			return out, refuse(CodeInvalidParams, "tasks/list: invalid cursor; begin again without one")
		}
		ids = ids[at+1:]
	}
	out = add(out, `"tasks":[`)
	from, page, last := len(out), 0, ""
	for _, id := range ids {
		f, err := s.findTask(ctx, id, r.link.principal)
		if errors.Is(err, ErrNoTask) {
			continue
		} else if err != nil {
			return out, noTask(r, err)
		}
		if page == s.options.PageSize {
			next := base64.RawURLEncoding.EncodeToString([]byte(prefix + last))
			return appendString(add(out, `],"nextCursor":`), next), nil
		}
		out = addByte(appendLegacyTask(addByte(appendComma(out, from), '{'), f.members), '}')
		page, last = page+1, id
	}
	return addByte(out, ']'), nil
}

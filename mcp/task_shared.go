package mcp

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Tasks that several servers share (SharedTasks) are those of one server but for
// what is said here:
//
//   - A record names the server that runs the task. A server that is asked about
//     another one's task answers from the record, and passes on what the client says.
//   - Where the one that ran a task is gone, whoever finds that out stores that the
//     task has failed. From then on no other record of it is stored: one that was
//     only believed gone gives the task up.

// SharedTasks is a TaskStore that several servers have in common: what one of them
// runs is read, answered, listened to and cancelled at each. All methods are safe for
// concurrent use.
type SharedTasks interface {
	TaskStore
	// Swap stores a record in the place of one that equals was; false says that
	// another one is there, or none. A ttl of 0 leaves the record the time it has.
	Swap(ctx context.Context, id string, was, record []byte, ttl time.Duration) (swapped bool, err error)
	// Join enters this server among those that share the store, under a name that no
	// other ever has, until leave is called, which waits for what runs. hear is called,
	// one call at a time, with what others send about a task; with an empty message
	// when the record of a task has changed; and with an empty id too where any may
	// have.
	Join(hear func(id string, message []byte)) (name string, leave func(), err error)
	// Send has the server called name hear a message about a task.
	Send(ctx context.Context, name, id string, message []byte) error
	// Joined reports whether the server called name shares the store. One that ended
	// without leaving does so until it has been silent for some seconds.
	Joined(ctx context.Context, name string) (bool, error)
}

// The messages between servers: one of these words, and answers behind tellAnswers.
const (
	tellCancel  = "cancel"
	tellAnswers = "answers "
)

// Bounds of what servers do with each other's tasks.
const (
	swapTriesMax = 5
	remoteLook   = 250 * time.Millisecond // between two looks at a task that another server runs
	remoteCancel = 10 * time.Second       // that a legacy client waits for another server to cancel
)

// errTaskTaken says that another server has ended the task.
var errTaskTaken = errors.New("another server has stored that the task failed, since this one was silent for too long")

// taskPeers are the servers that share this one's tasks.
type taskPeers struct {
	store SharedTasks
	name  string // of this server
	leave func()
}

// joinTasks enters the server among those that share its store of tasks; nil when it
// is shared with none. Close is its partner.
func (s *Server) joinTasks() (*taskPeers, error) {
	store, shared := s.options.Tasks.(SharedTasks)
	if !shared {
		return nil, nil
	}
	s.joining.Lock()
	defer s.joining.Unlock()
	if s.peers != nil {
		return s.peers, nil
	}
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return nil, ErrClosed
	}
	name, leave, err := store.Join(s.hearOfTask)
	if err != nil {
		return nil, wrap("sharing tasks with other servers: ", err)
	}
	s.peers = &taskPeers{store, name, leave}
	return s.peers, nil
}

// leaveTasks is the partner of joinTasks, for good.
func (s *Server) leaveTasks() {
	s.joining.Lock()
	peers := s.peers
	s.peers = nil
	s.joining.Unlock()
	if peers != nil {
		peers.leave()
	}
}

// hearOfTask acts on what another server says.
func (s *Server) hearOfTask(id string, message []byte) {
	if len(message) == 0 {
		s.recordChanged(id)
		return
	}
	s.mu.Lock()
	t := s.tasks[id]
	s.mu.Unlock()
	if t == nil {
		return // it has ended meanwhile
	}
	if answers, ok := bytes.CutPrefix(message, []byte(tellAnswers)); ok {
		if len(answers) > 0 && answers[0] == '{' {
			t.take(answers)
		}
	} else if string(message) == tellCancel {
		t.cancelAsked()
	}
}

// cancelAsked has the task end as its own era's clients mean it.
func (t *task) cancelAsked() {
	if t.legacy {
		t.cancel()
		return
	}
	t.mu.Lock()
	t.cancelled = true
	t.mu.Unlock()
	t.stop()
}

// recordChanged tells listeners of a change that another server has made.
func (s *Server) recordChanged(id string) {
	s.mu.Lock()
	_, own := s.tasks[id]
	var heard []string
	for l := range s.listeners {
		if _, wanted := l.tasks[id]; wanted {
			heard = append(heard, id)
			break
		}
		for other := range l.tasks {
			if _, runs := s.tasks[other]; id == "" && !runs {
				heard = append(heard, other)
			}
		}
	}
	s.mu.Unlock()
	if own {
		return // they have been told
	}
	for _, each := range heard {
		record, err := s.options.Tasks.Get(context.Background(), each)
		if err != nil || !s.wrote(record) {
			s.tellTask(each)
		}
	}
}

// wrote reports whether a record is this server's own.
func (s *Server) wrote(record []byte) bool {
	s.joining.Lock()
	defer s.joining.Unlock()
	return s.peers != nil && readTaskRecord(record).server == s.peers.name
}

// taskRecord is a record, taken apart.
type taskRecord struct {
	principal string
	server    string // that runs the task, or ran it to its end; empty: it was alone
	members   []byte // nil in what is no record
}

func readTaskRecord(record []byte) (r taskRecord) {
	for name, value := range membersOf(record) {
		switch name {
		case "principal":
			r.principal = unquoted(value)
		case "server":
			r.server = unquoted(value)
		case "task":
			r.members = value[1 : len(value)-1]
		}
	}
	return r
}

// status is that of the task.
func (r *taskRecord) status() taskStatus {
	for name, value := range membersOf(addByte(add([]byte{'{'}, r.members), '}')) {
		if name == "status" {
			return taskStatus(unquoted(value))
		}
	}
	return ""
}

// foundTask is a task as it is now.
type foundTask struct {
	members []byte
	task    *task  // while this process runs it
	server  string // the other server, while one runs it
}

// storedTask is a task that this process does not run.
func (s *Server) storedTask(ctx context.Context, id, principal string) (foundTask, error) {
	for range swapTriesMax {
		record, err := s.options.Tasks.Get(ctx, id)
		if err != nil {
			return foundTask{}, err
		}
		r := readTaskRecord(record)
		if r.principal != principal || r.members == nil {
			return foundTask{}, ErrNoTask
		}
		shared, ok := s.options.Tasks.(SharedTasks)
		if !ok || r.server == "" || r.status().ended() {
			return foundTask{members: abandoned(r.members)}, nil
		}
		if joined, err := shared.Joined(ctx, r.server); err != nil {
			return foundTask{}, err
		} else if joined {
			return foundTask{members: r.members, server: r.server}, nil
		}
		// It is gone: this is how it ended, unless it stored another end just before.
		failed := abandoned(r.members)
		swapped, err := shared.Swap(ctx, id, record, recordOf(r.principal, "", failed), 0)
		if err != nil {
			return foundTask{}, err
		} else if swapped {
			return foundTask{members: failed}, nil
		}
	}
	return foundTask{}, newError("its record changes faster than it can be read; try again")
}

// recordOf is what the store keeps.
func recordOf(principal, server string, members []byte) []byte {
	out := appendOptional(appendString([]byte(`{"principal":`), principal), "server", server)
	return add(add(add(out, `,"task":{`), members), "}}")
}

// put stores the first record of a task.
func (t *task) put(record []byte) error {
	if t.peers != nil {
		t.stored = record
	}
	return t.server.options.Tasks.Put(context.Background(), t.id, record, t.options.TTL)
}

// putAgain stores a record in the place of the one before. t.storing is held. The
// error is errTaskTaken where another server has ended the task; its handler is told.
func (t *task) putAgain(record []byte, ttl time.Duration) error {
	if t.peers == nil {
		return t.server.options.Tasks.Put(context.Background(), t.id, record, ttl)
	}
	ctx := context.Background()
	for range swapTriesMax {
		swapped, err := t.peers.store.Swap(ctx, t.id, t.stored, record, ttl)
		if err != nil {
			return err
		}
		if swapped {
			t.stored = record
			return nil
		}
		// Either an earlier record was stored with an error, or somebody else's is there.
		found, err := t.peers.store.Get(ctx, t.id)
		if err != nil && !errors.Is(err, ErrNoTask) {
			return err
		}
		if r := readTaskRecord(found); r.server != t.peers.name {
			t.mu.Lock()
			t.taken = r.members
			t.changedLocked()
			t.mu.Unlock()
			t.stop()
			t.server.dropTask(t)
			return errTaskTaken
		}
		t.stored = found
	}
	return newError("its record changes faster than it can be replaced")
}

// sendTask tells the server that runs a task what a client says about it.
func (s *Server) sendTask(ctx context.Context, f foundTask, id, message string) *wireError {
	shared, ok := s.options.Tasks.(SharedTasks)
	if !ok || f.server == "" {
		return nil // it has ended
	}
	if err := shared.Send(ctx, f.server, id, []byte(message)); err != nil {
		return refuse(CodeInternal, "the server that runs the task cannot be told: "+err.Error())
	}
	return nil
}

// cancelThere cancels a task that another server runs, and waits for its end.
func (s *Server) cancelThere(ctx context.Context, r *request, f foundTask) ([]byte, *wireError) {
	if bad := s.sendTask(ctx, f, r.name, tellCancel); bad != nil {
		return nil, bad
	}
	ctx, stop := context.WithTimeout(ctx, remoteCancel)
	defer stop()
	for f.server != "" {
		if err := lookAgain(ctx); err != nil {
			return nil, refuse(CodeInternal, "the server that runs the task has been told, and does not answer")
		}
		var err error
		if f, err = s.findTask(ctx, r.name, r.link.principal); err != nil {
			return nil, noTask(r, err)
		}
	}
	return f.members, nil
}

// lookAgain waits until it is time to look at another server's task again.
func lookAgain(ctx context.Context) error {
	timer := time.NewTimer(remoteLook)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

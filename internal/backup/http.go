package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// Path is where a server offers its backup.
const Path = "/backup"

// patience is how long a client may take to read a part, and a server to send one: a
// backup under way keeps the log from being compacted.
const patience = 30 * time.Second

// HandlerOptions are those of Handler.
type HandlerOptions struct {
	// Encryption seals what is sent; nil: it is not sealed.
	Encryption engine.Encryption
	Logger     *slog.Logger
}

// Handler answers GET with a backup of the store: whole, or with since, store and previous
// in the query what changed since the one of that version, number and SHA-256. One is sent
// at a time. Who may ask is decided in front of it.
func Handler(store Source, o HandlerOptions) http.Handler {
	var busy sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "a backup is fetched with GET", http.StatusMethodNotAllowed)
			return
		}
		since, err := readQuery(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if since.SHA256 != "" && since.Store != store.StoreID() {
			http.Error(w, ErrOtherStore.Error(), http.StatusConflict)
			return
		}
		if !busy.TryLock() {
			w.Header().Set("Retry-After", "10")
			http.Error(w, "another backup is being sent: ask again when it is done", http.StatusServiceUnavailable)
			return
		}
		defer busy.Unlock()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		info, err := Write(hurried{w, http.NewResponseController(w)}, store, Options{Encryption: o.Encryption, Since: since})
		if err != nil {
			o.Logger.Warn("a backup was not sent to its end", "error", err)
			panic(http.ErrAbortHandler) // what was sent must not look whole
		}
		o.Logger.Info("sent a backup", "version", info.Version, "full", info.Full, "bytes", info.FileBytes)
	})
}

// hurried gives each write its time.
type hurried struct {
	w       io.Writer
	control *http.ResponseController
}

func (h hurried) Write(p []byte) (int, error) {
	if err := h.control.SetWriteDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return h.w.Write(p)
}

func readQuery(q url.Values) (since Info, err error) {
	if since.SHA256 = q.Get("previous"); since.SHA256 == "" {
		return since, nil
	}
	since.Version, err = strconv.ParseUint(q.Get("since"), 10, 64)
	if err == nil {
		since.Store, err = strconv.ParseUint(q.Get("store"), 10, 64)
	}
	if err != nil || len(since.SHA256) != 64 {
		return since, errors.New("previous is a SHA-256 in hexadecimal digits, and goes with since and store, which are numbers")
	}
	return since, nil
}

// Fetch writes to w the backup that a server at origin offers; since is what to go on
// from, if it is one. token is sent as a bearer's, if it is not empty.
func Fetch(ctx context.Context, w io.Writer, origin, token string, since Info) error {
	at, err := url.Parse(origin)
	if err != nil || at.Host == "" {
		return fmt.Errorf("%q is no URL of a server, such as http://127.0.0.1:7070", origin)
	}
	at.Path, at.RawQuery = Path, ""
	if since.SHA256 != "" {
		at.RawQuery = url.Values{"previous": {since.SHA256}, "since": {strconv.FormatUint(since.Version, 10)}, "store": {strconv.FormatUint(since.Store, 10)}}.Encode()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	late := time.AfterFunc(patience, func() { cancel(fmt.Errorf("the server sent nothing for %v", patience)) })
	defer late.Stop()
	// No redirect is followed: a token is for the server that was named.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, headBytesMax))
		return fmt.Errorf("the server answers %s to GET %s: %s (it offers backups when it was started with --backup)", answer.Status, Path, text)
	}
	_, err = io.Copy(w, alive{answer.Body, late})
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	return err
}

// alive puts off a timer whenever something is read.
type alive struct {
	io.Reader
	late *time.Timer
}

func (a alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.late.Reset(patience)
	}
	return n, err
}

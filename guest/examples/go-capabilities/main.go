// Command go-capabilities is a tool that reaches everything a policy can grant: state,
// log, HTTP, files, environment, clock, random numbers and progress. Without a grant
// each answers with what the host says is missing.
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o capabilities.wasm .
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	guest "github.com/ingot-run/ingot/guest/go"
)

// Args are the tool's arguments.
type Args struct {
	What string `json:"what" doc:"which capability to use" enum:"state,log,http,files,env,clock,random,progress"`
	Name string `json:"name,omitempty" doc:"a key below capabilities/, a path such as /data/note, or the name of a variable" max:"200"`
	Text string `json:"text,omitempty" doc:"what to write, or to log" max:"10000"`
	URL  string `json:"url,omitempty" doc:"what to fetch" max:"2000"`
}

// Result is what the tool answers.
type Result struct {
	Answer string   `json:"answer" doc:"what was found"`
	Names  []string `json:"names,omitempty" doc:"keys, or the files beside the one that was written"`
}

func init() {
	guest.Register(guest.Tool{
		Name:        "capabilities",
		Title:       "Capabilities",
		Description: "Uses one thing that the host can grant, and tells what it found or what is not granted.",
		Hints:       &guest.Hints{OpenWorld: true},
	}, use)
}

func main() {}

// use uses one capability.
func use(a Args) (Result, error) {
	switch a.What {
	case "state":
		return useState(a.Name, a.Text)
	case "log":
		guest.Log(guest.LevelWarn, "%s", a.Text)
		return Result{Answer: "logged"}, nil
	case "http":
		return fetch(a.URL)
	case "files":
		return useFiles(a.Name, a.Text)
	case "env":
		value, ok := os.LookupEnv(a.Name)
		if !ok {
			return Result{}, guest.Fail("denied", "there is no variable %s: grant capabilities.env: [%s]", a.Name, a.Name)
		}
		return Result{Answer: value}, nil
	case "clock":
		start := time.Now()
		time.Sleep(20 * time.Millisecond)
		return Result{Answer: fmt.Sprintf("%s, slept %v", start.UTC().Format(time.RFC3339), time.Since(start).Round(10*time.Millisecond))}, nil
	case "random":
		bytes := make([]byte, 16)
		_, err := rand.Read(bytes)
		return Result{Answer: hex.EncodeToString(bytes)}, err
	default:
		for step := range 4 {
			guest.Progress(float64(step), 3, fmt.Sprintf("step %d", step))
		}
		return Result{Answer: "told"}, nil
	}
}

// useState writes a key, reads it back, counts its writes, and lists all keys.
func useState(name, text string) (Result, error) {
	key := "capabilities/" + name
	version, err := guest.StateSet(key, []byte(text), guest.SetOptions{TTL: time.Hour})
	if err != nil {
		return Result{}, err
	}
	entry, err := guest.StateGet(key)
	if err != nil {
		return Result{}, err
	}
	if entry.Version != version {
		return Result{}, guest.Fail("conflict", "somebody else has written %s meanwhile", key)
	}
	writes, err := guest.StateIncrement("capabilities/.writes", 1, 0)
	if err != nil {
		return Result{}, err
	}
	names, err := guest.StateList("capabilities/", "", 100)
	return Result{Answer: fmt.Sprintf("%s (write %d)", entry.Value, writes), Names: names}, err
}

// fetch gets the beginning of a page.
func fetch(url string) (Result, error) {
	response, err := guest.HTTP(guest.Request{URL: url, Timeout: 5 * time.Second})
	if err != nil {
		return Result{}, err
	}
	const most = 200
	body := response.Body[:min(len(response.Body), most)]
	return Result{Answer: fmt.Sprintf("%d %s: %s", response.Status, response.Headers["content-type"], strings.ToValidUTF8(string(body), "?"))}, nil
}

// useFiles writes a file, reads it back, and lists its folder.
func useFiles(name, text string) (Result, error) {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return Result{}, guest.Fail("denied", "%v: grant capabilities.files: [{path: %s, root: …, access: read-write}]", err, filepath.Dir(name))
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return Result{}, err
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return Result{}, err
	}
	r := Result{Answer: string(content)}
	for _, entry := range entries {
		r.Names = append(r.Names, entry.Name())
	}
	return r, nil
}

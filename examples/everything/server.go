package main

import (
	"log/slog"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// newServer returns the server with all of its fixtures; close it, since it may
// have tasks.
func newServer(logger *slog.Logger) *mcp.Server {
	server := mcp.NewServer(mcp.Options{
		Name: "everything", Title: "Everything", Version: "1.0.0",
		Instructions: "A server to try clients on. Call echo first.",
		Logger:       logger,
		ListFresh:    5 * time.Minute,
	})
	addContents(server)
	addCalls(server)
	addQuestions(server)
	addRounds(server)
	addChanges(server)
	addSchemas(server)
	addResources(server)
	addPrompts(server)
	addTasks(server)
	return server
}

// none is the input of a tool without arguments.
type none struct{}

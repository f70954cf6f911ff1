package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ingot-run/ingot/internal/command"
)

// clientConfig is the configuration that MCP clients take: servers by name.
type clientConfig struct {
	Servers map[string]clientServer `json:"mcpServers"`
}

// clientServer is a server to start (Command) or to reach (Type and URL).
type clientServer struct {
	Command string `json:"command,omitempty"`
	Type    string `json:"type,omitempty"`
	URL     string `json:"url,omitempty"`
}

// printWelcome tells where the page is and how clients connect.
func printWelcome(w io.Writer, address string) error {
	origin := "http://" + address
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the mcp-stdio beside ingot: %w", err)
	}
	_, err = fmt.Fprintf(w, "ingot %s\n\n  Page  %s/\n  MCP   %s%s (streamable HTTP)\n\n"+
		"Client configuration, over HTTP (the state that the page shows):\n%s\n\n%s\n\nStop with Ctrl-C.\n",
		command.Version(), origin, origin, endpoint,
		configText(clientServer{Type: "http", URL: origin + endpoint}),
		stdioHelp(filepath.Join(filepath.Dir(executable), "mcp-stdio"+executableSuffix())))
	return err
}

// stdioHelp is the configuration for the mcp-stdio at path, or how to get one.
func stdioHelp(path string) string {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return fmt.Sprintf("There is no mcp-stdio beside this ingot. For clients that start their server, build it:\n"+
			"  go build -o %s ./cmd/mcp-stdio", path)
	}
	return "Client configuration, over stdio (a process and a state of its own for each client):\n" +
		configText(clientServer{Command: path})
}

func configText(s clientServer) string {
	text, err := json.MarshalIndent(clientConfig{map[string]clientServer{"ingot": s}}, "", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	return string(text)
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

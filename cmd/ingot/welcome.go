package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
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

	Headers map[string]string `json:"headers,omitempty"`
}

// welcome is what is printed once clients can connect.
type welcome struct {
	origin      string // http://127.0.0.1:7070
	guarded     bool   // a token is asked for
	issuer      string // where clients get one; empty when its owner hands it out
	fingerprint string // of a self-made certificate; may be empty
}

// print tells where the page is and how clients connect.
func (g *welcome) print(w io.Writer) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the mcp-stdio beside ingot: %w", err)
	}
	over := clientServer{Type: "http", URL: g.origin + httpserve.PathMCP}
	page := "  Page  " + g.origin + "/\n"
	if g.guarded {
		page = "  Page  " + g.origin + "/ (asks for the token)\n"
	}
	if g.guarded && g.issuer == "" { // else clients find out by themselves
		over.Headers = map[string]string{"Authorization": "Bearer ${" + httpserve.TokenVariable + "}"}
	}
	if g.issuer != "" {
		page += "  OAuth " + g.issuer + "\n"
	}
	certificate := ""
	if g.fingerprint != "" {
		certificate = "  TLS   a certificate made for this start, SHA-256 " + g.fingerprint + "\n"
	}
	_, err = fmt.Fprintf(w, "ingot %s\n\n%s  MCP   %s%s (streamable HTTP; also %s for HTTP+SSE, %s for WebSocket)\n%s\n"+
		"Client configuration, over HTTP (the state that the page shows):\n%s\n\n%s\n\nStop with Ctrl-C.\n",
		command.Version(), page, g.origin, httpserve.PathMCP, httpserve.PathSSE, httpserve.PathWebSocket, certificate, configText(over),
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

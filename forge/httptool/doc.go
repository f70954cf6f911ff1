// Package httptool makes a tool of an HTTP request: URL, query, headers and body
// from templates, authentication from the file, and an answer that a model can read.
//
//	handler, close, err := httptool.New(tool, secrets) // a *config.Tool of the kind http
//	server.AddTool(listing, handler)
//	defer close()
//
// # What is filled in, and how
//
//   - In the path a value is one segment: "/" in it is escaped, and "." and ".." are
//     refused. Scheme, host and port have no placeholders.
//   - In the query a value is escaped; one that is absent leaves its parameter out,
//     one that is an array repeats it.
//   - In a header a value may not hold a line break or another control character.
//   - In a JSON body a text that is one {{param}} takes the value as it is, of
//     whatever type; in other texts it is text. A body given as one text that is JSON
//     keeps its shape whatever the values hold.
//
// Answers of 400 and above are errors with the status and the beginning of the body.
// JSON becomes structured content, text is text, images and audio are what they are,
// and the rest is a blob. Requests go through the package netguard: the host that
// the file names and no other, with the address checked when it is connected to.
//
// # Caveats
//
// A request is tried again only when the method is one that may be sent twice (GET,
// HEAD, OPTIONS, PUT, DELETE).
package httptool

// Package resource serves the resources of a forge.yaml: files, folders, HTTP requests,
// handlers and keys of the state, read and written by their URIs.
//
// The main types are [Set], the resources of one reading of the file, and [Watcher],
// which tells clients of changes, whatever set there is.
//
//	set, err := resource.NewSet(cfg.Resources, resource.Options{State: manager, …})
//	server.Update(func(c *mcp.Catalog) { set.AddTo(c) })
//	result, err := set.Read(ctx, "docs:///guide/start.md")
//	err = set.Write(ctx, "docs:///notes.md", &resource.Content{Bytes: text})
//
// # What is read
//
// A file is opened when it is read, and has to be a regular one: no folder, pipe or
// device. A folder is an [os.Root]: neither .. nor a symbolic link leads out of it, and
// one that tries is a resource that does not exist. Names that begin with a dot are not
// there unless the file says so. Text is what is UTF-8 without NUL; all else goes as
// base64. The media type is what the file says, or what the source says (a Go function,
// an HTTP answer), or that of the name's ending, or of the content.
//
// # Caveats
//
// Middleware stands around tools only. Files are watched by a look at each of them that
// somebody listens to, once a second: two changes within one, or one that leaves size
// and time of a file as they were, are told once or not at all. A folder's list is not
// one moment of it.
package resource

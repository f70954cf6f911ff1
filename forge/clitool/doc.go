// Package clitool makes a tool of a program: arguments from templates, no shell, a
// clean environment, bounded output, and an end for the program and all that it
// started when the call ends.
//
//	handler, err := clitool.New(tool) // a *config.Tool of the kind cli
//	server.AddTool(listing, handler)
//
// A call answers with what the program printed on stdout, and as structured content
// with stdout, stderr and the exit code; a tool with an output schema answers with
// the JSON object that the program printed.
//
// # How a program is held
//
//   - Each template gives one argument, whatever characters a value has: there is no
//     shell to read them. One that is a single {{param}} gives none where the
//     parameter is absent, and of an array one for each element.
//   - A value that would begin an argument with "-" is refused unless it is a number
//     or the argument stands behind "--": programs take it for an option.
//   - The environment holds PATH, what env says and what pass_env names; stdin is at
//     its end.
//   - At the end of the call, at its timeout and when the caller gives up, the
//     program's process group is ended: SIGTERM first, SIGKILL a second later.
//   - A tool without a timeout has five minutes.
//
// # Caveats
//
// A server that is killed (SIGKILL) leaves its programs running.
//
// A program that leaves its process group (setsid) outlives its call. On Windows
// only the program itself is ended.
package clitool

// Package program is a server made of one project: what "ingot build" compiles. Its
// functions are [Main], which the generated main package calls with the project's files
// as a zip archive, and [Run], which does the same for tests:
//
//	//go:embed project.zip
//	var project []byte
//
//	func main() { program.Main(project) }
//
// Without a command the program serves, as "ingot serve --config forge.yaml" does, over
// the transport that the file names.
//
// # Caveats
//
// The files are unpacked at the start: a project that writes nothing into a folder of its
// own below the system's temporary one, which is removed at the end (and stays where the
// process is killed); one that writes (a state in files, resources and folders that can be
// written) into --data, beside what it writes. Files that are written to are not carried:
// the folder is empty at first. What an older version of the program has unpacked to the
// same --data, and a newer one does not carry, stays there, and is served where it lies in
// a folder of resources.
package program

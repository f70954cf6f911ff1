// Package audit keeps a record of who did what: a file of JSON lines, each of which holds
// the hash of the one before, so that what is edited, deleted, moved or cut out of it
// shows.
//
// The main types are [Log], which is written while a server runs, [Entry], one line of
// it, and [Report], what [Verify] finds.
//
//	log, err := audit.Open("audit.log", audit.Options{})
//	…
//	defer log.Close()
//	server.SetGuard(access.NewKeeper(policy, log))
//
// A line is an object whose last member is its hash:
//
//	{"seq":7,"time":"…","who":"token:ci","kind":"token","method":"tools/call","tool":"state_set",
//	 "outcome":"ok","micros":84,"arguments":"hmac-sha256:…","prev":"…","hash":"…"}
//
// hash is the SHA-256 of the line's bytes in front of ,"hash": in hexadecimal; prev is
// that of the line before, also where that stands at the end of another file, and zeros in
// the first. A file that has grown to its bound is renamed to NAME.0000000001 and so on.
//
// Records are written in groups: while one is written, those that come in the meantime
// wait to be written together, and those of answers that leave a connection in one write
// ([Log.Hold]) are written in one before it. With [SyncAlways] an answer is sent when its record is on
// the disk, with [SyncInterval] when it is with the system, which a crash of the machine
// may lose the last second of.
//
// # Caveats
//
//   - Who can write to the file can write all of it anew, from some record to the end, and
//     cut off its end. An anchor tells: the head hash that "ingot audit verify" prints,
//     kept elsewhere, and given to "ingot audit verify --expect".
//   - A record is written when its answer is ready. When the disk fills up just then, the
//     request has been acted upon, and its answer is an error; no other request is begun
//     until there is room. What was waiting to be written is written then.
//   - The record of a call whose answer never leaves, since it was cancelled or its
//     client is gone, is written within a second.
//   - Arguments are hashed as they were sent, with a key of the log's own, which is beside
//     it (NAME.key): who has both can try what they guess.
//   - Requests that are no well-formed requests are not recorded, nor is what a task does
//     after its call was answered.
package audit

package guest

import (
	"encoding/binary"
	"time"
)

// Keys are whole: the prefix that the policy grants is part of them.

// Entry is a value of the host's state.
type Entry struct {
	Value []byte
	// Version changes with each write of the key; it is never 0.
	Version uint64
}

// SetOptions are the conditions and the lifetime of a write. The zero value
// writes in any case and for good.
type SetOptions struct {
	// TTL is how long the entry lives, in whole milliseconds; 0 is for good.
	TTL time.Duration
	// IfVersion lets the write happen only while the key is at this version.
	IfVersion uint64
	// IfAbsent lets the write happen only while there is no such key; it cannot
	// be said together with IfVersion.
	IfAbsent bool
}

// The values of ifVersion in the ABI that are no version.
const (
	inAnyCase = -1
	ifAbsent  = 0
)

// condition is o as the ABI has it.
func (o SetOptions) condition() (ifVersion int64, err error) {
	switch {
	case o.IfAbsent && o.IfVersion != 0:
		return 0, &Error{Code: ErrInvalid.Code, Message: "IfAbsent and IfVersion were both given: one of them can hold"}
	case o.IfAbsent:
		return ifAbsent, nil
	case o.IfVersion != 0:
		return int64(o.IfVersion), nil
	default:
		return inAnyCase, nil
	}
}

// StateGet reads a key. Errors: [ErrNotFound], and those that every function of
// the host has: [ErrDenied], [ErrLimit], [ErrInvalid], [ErrUnavailable].
func StateGet(key string) (Entry, error) {
	reply, err := answer(hostStateGet(key))
	if err == nil && len(reply) < 8 {
		err = badReply("state_get", reply)
	}
	if err != nil {
		return Entry{}, err
	}
	return Entry{Version: binary.LittleEndian.Uint64(reply), Value: reply[8:]}, nil
}

// StateSet writes a key and returns its new version. Errors: [ErrConflict] when
// the condition does not hold.
func StateSet(key string, value []byte, o SetOptions) (version uint64, err error) {
	ifVersion, err := o.condition()
	if err != nil {
		return 0, err
	}
	return integer("state_set")(answer(hostStateSet(key, value, o.TTL.Milliseconds(), ifVersion)))
}

// StateDelete removes a key: with version 0 in any case, else only while the key
// is at this version. Errors: [ErrNotFound], [ErrConflict].
func StateDelete(key string, version uint64) error {
	ifVersion := int64(inAnyCase)
	if version != 0 {
		ifVersion = int64(version)
	}
	_, err := answer(hostStateDelete(key, ifVersion))
	return err
}

// StateIncrement adds to a decimal number and returns the sum; an absent key
// counts as 0, and lives for ttl (0: for good). Errors: [ErrInvalid] when the
// value is no number or the sum does not fit.
func StateIncrement(key string, delta int64, ttl time.Duration) (sum int64, err error) {
	n, err := integer("state_increment")(answer(hostStateIncrement(key, delta, ttl.Milliseconds())))
	return int64(n), err
}

// StateList returns at most limit keys that begin with prefix and come after
// the key after, in byte order. It may return fewer, and returns none only at
// the end:
//
//	for keys, err := StateList("note/", "", 100); len(keys) > 0; keys, err = StateList("note/", keys[len(keys)-1], 100) {
func StateList(prefix, after string, limit int) ([]string, error) {
	reply, err := answer(hostStateList(prefix, after, int32(limit)))
	if err != nil {
		return nil, err
	}
	var keys []string
	for rest := reply; len(rest) > 0; {
		if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return nil, badReply("state_list", reply)
		}
		size := binary.LittleEndian.Uint32(rest)
		keys = append(keys, string(rest[4:4+size]))
		rest = rest[4+size:]
	}
	return keys, nil
}

// integer reads the eight bytes of a function's answer.
func integer(function string) func(reply []byte, err error) (uint64, error) {
	return func(reply []byte, err error) (uint64, error) {
		if err == nil && len(reply) != 8 {
			err = badReply(function, reply)
		}
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint64(reply), nil
	}
}

// answer splits an answer of the host and fetches its reply.
func answer(packed uint64) ([]byte, error) {
	code, size := uint32(packed>>32), uint32(packed)
	reply := make([]byte, size)
	if size > 0 {
		hostReply(reply)
	}
	if code != 0 {
		return nil, hostError(code, string(reply))
	}
	return reply, nil
}

// badReply is the error of a host that does not keep to the ABI.
func badReply(function string, reply []byte) error {
	return Fail("bad_host", "the host answered %s with %d bytes that are not what docs/ABI.md has", function, len(reply))
}

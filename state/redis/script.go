package redis

import (
	"crypto/sha1" // the name that redis gives a script
	"encoding/hex"
)

// script is a Lua program and its name.
type script struct{ source, hash string }

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source))
	return &script{source, hex.EncodeToString(sum[:])}
}

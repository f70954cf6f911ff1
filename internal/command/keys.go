package command

import "github.com/ingot-run/ingot/engine"

// Encryption is made of the keys that the flags or the environment name; nil: none.
func (f *KeyFlag) Encryption() (engine.Encryption, error) { return f.encryption() }

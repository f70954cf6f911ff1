package sandbox

import (
	"crypto/sha256"
	"encoding/hex"

	modsig "github.com/ingot-run/ingot/internal/sandbox/signature"
)

// checkModule compares a module's file with the policy's pins, before any of it
// is parsed. digest is its SHA-256.
func (p *Policy) checkModule(module []byte, digest [sha256.Size]byte) error {
	if sum := hex.EncodeToString(digest[:]); p.SHA256 != "" && p.SHA256 != sum {
		return failf(ErrPin, "the file's SHA-256 is %s and the pinned one is %s: it is not the file that was meant; if the change is intended, write the new digest into the pin", sum, p.SHA256)
	}
	if p.PublicKey == nil {
		return nil
	}
	if len(p.Signature) == 0 {
		return failf(ErrPin, "it is not signed, and must be with %s: its author signs it with \"ingot sign TOOL.wasm --key FILE\", which writes TOOL.wasm%s beside it", modsig.KeyText(p.PublicKey), modsig.FileSuffix)
	}
	if err := modsig.Verify(module, p.Signature, p.PublicKey); err != nil {
		return &failure{ErrPin, err.Error(), err}
	}
	return nil
}

package hash

// Backend returns the name of the implementation in use: "generic", "sse2", "avx2",
// "avx512" or "neon". All of them give the same hashes.
func Backend() string { return active.String() }

// backend is one implementation.
type backend uint8

const (
	generic backend = iota
	sse2
	avx2
	avx512
	neon
)

var backendNames = [...]string{"generic", "sse2", "avx2", "avx512", "neon"}

func (b backend) String() string { return backendNames[b] }

// active is fixed at start; only tests change it later.
var active = choose(available(), wanted())

// choose returns the backend of that name if this machine has it, and else the
// fastest one, which is the last of present.
func choose(present []backend, name string) backend {
	for _, b := range present {
		if b.String() == name {
			return b
		}
	}
	return present[len(present)-1]
}

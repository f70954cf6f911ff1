package sandbox

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// snapshot is the state of an instance after _initialize: what further instances
// start from, and what a reset puts back.
type snapshot struct {
	image   *image // nil: the module has no memory
	globals []uint64
	clock   virtualClock
	random  guestRandom
}

// snapshot takes the state of an instance that has served no call yet, and makes
// it one that can be reset. An error says why that cannot be.
func (i *instance) snapshot() (*snapshot, error) {
	if !i.descriptors.clean() {
		return nil, fmt.Errorf("_initialize leaves files open or changes them")
	}
	s := &snapshot{clock: i.clock, random: i.random}
	for _, g := range i.globals {
		s.globals = append(s.globals, g.Get())
	}
	if i.module.Memory() == nil {
		return s, nil
	}
	var err error
	if s.image, err = i.memory.image(); err != nil {
		return nil, err
	}
	if err := i.adopt(s); err != nil {
		s.free()
		return nil, err
	}
	return s, nil
}

// adopt gives an instance that has just been made the state of a snapshot.
func (i *instance) adopt(s *snapshot) error {
	if s.image != nil {
		if uint64(len(i.memory.buffer)) < s.image.size {
			if _, ok := i.module.Memory().Grow(uint32((s.image.size - uint64(len(i.memory.buffer))) / pageBytes)); !ok {
				return fmt.Errorf("a new instance has no room for the %d bytes of memory that _initialize left", s.image.size)
			}
		}
		if !i.memory.adopt(s.image) {
			return fmt.Errorf("the image of its memory cannot be mapped")
		}
	}
	i.writeBack(s)
	return nil
}

// reset puts back the state of a snapshot. It returns false when that is not
// possible: the instance must not be used again.
func (i *instance) reset(s *snapshot) bool {
	if !i.descriptors.clean() {
		return false
	}
	if s.image != nil {
		touched, ok := i.memory.reset(i.module.Memory(), s.image)
		i.owner.stats.bytesReset.Add(touched)
		if !ok {
			return false
		}
	}
	i.writeBack(s)
	return true
}

// writeBack is the part of a reset that is not memory.
func (i *instance) writeBack(s *snapshot) {
	for n, g := range i.globals {
		g.Set(s.globals[n])
	}
	i.clock, i.random = s.clock, s.random
	clear(i.vars)
}

// free gives the snapshot's memory back, when no instance needs it any more.
func (s *snapshot) free() {
	if s != nil && s.image != nil {
		s.image.free()
	}
}

// findGlobals notes the globals that a reset writes.
func (i *instance) findGlobals() {
	for _, g := range i.owner.mutable {
		i.globals = append(i.globals, i.module.ExportedGlobal(g.Export).(api.MutableGlobal))
	}
}

//go:build !linux

package sandbox

// image is what each instance of a module starts from.
type image struct {
	size  uint64
	bytes []byte
}

// newImage copies content into an image.
func newImage(content []byte) (*image, error) {
	return &image{size: uint64(len(content)), bytes: append([]byte(nil), content...)}, nil
}

// free gives the image back.
func (img *image) free() { img.bytes = nil }

// newBacking returns a memory on the heap.
func newBacking(bytesMax uint64) backing { return &heapBacking{bytesMax: bytesMax} }

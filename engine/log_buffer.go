package engine

import "slices"

// logBuffer is changes on their way to the log: blocks as the file will hold them,
// one behind another, with room for a header before each payload. A batch has a
// buffer of its own, which is added to the log's as a whole.
type logBuffer struct {
	bytes  []byte
	blocks []bufferedBlock
	open   bool // the last block takes more records
}

// bufferedBlock is a block in a buffer: its header's place and its payload's end.
type bufferedBlock struct {
	start, end int
	continues  bool // the next block belongs to the same change
}

// bufferKeptBytes is how large a buffer may be to be used again.
const bufferKeptBytes = 4 << 20

// add appends a record.
func (b *logBuffer) add(r *logRecord) {
	b.room(r.bound())
	b.bytes = r.append(b.bytes)
	b.blocks[len(b.blocks)-1].end = len(b.bytes)
}

// room opens a block unless the last one takes n more bytes.
func (b *logBuffer) room(n int) {
	if b.open {
		last := b.blocks[len(b.blocks)-1]
		if last.end-last.start+n <= logBlockBytesTarget {
			return
		}
		b.close()
	}
	start := len(b.bytes)
	b.bytes = append(b.bytes, make([]byte, logBlockHeaderBytes)...)
	b.blocks = append(b.blocks, bufferedBlock{start: start, end: len(b.bytes)})
	b.open = true
}

// close ends the last block: it takes no more records.
func (b *logBuffer) close() {
	if b.open {
		for len(b.bytes)%blockAlign != 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.open = false
	}
}

// addAll appends the changes of another buffer, as one change.
func (b *logBuffer) addAll(batch *logBuffer) {
	if len(batch.blocks) == 1 {
		payload := batch.bytes[logBlockHeaderBytes:batch.blocks[0].end]
		b.room(len(payload))
		b.bytes = append(b.bytes, payload...)
		b.blocks[len(b.blocks)-1].end = len(b.bytes)
		return
	}
	b.close()
	batch.close()
	shift := len(b.bytes)
	b.bytes = append(b.bytes, batch.bytes...)
	for i, k := range batch.blocks {
		b.blocks = append(b.blocks, bufferedBlock{start: k.start + shift, end: k.end + shift, continues: i+1 < len(batch.blocks)})
	}
}

// bufferMark is a state of a buffer to go back to.
type bufferMark struct {
	bytes, blocks, end int
	open               bool
}

func (b *logBuffer) mark() bufferMark {
	m := bufferMark{bytes: len(b.bytes), blocks: len(b.blocks), open: b.open}
	if m.blocks > 0 {
		m.end = b.blocks[m.blocks-1].end
	}
	return m
}

// backTo forgets what was added since the mark.
func (b *logBuffer) backTo(m bufferMark) {
	b.bytes, b.blocks, b.open = b.bytes[:m.bytes], b.blocks[:m.blocks], m.open
	if m.blocks > 0 {
		b.blocks[m.blocks-1].end = m.end
	}
}

// reset empties the buffer.
func (b *logBuffer) reset() {
	if cap(b.bytes) > bufferKeptBytes {
		b.bytes = nil
	}
	b.bytes, b.blocks, b.open = b.bytes[:0], slices.Delete(b.blocks, 0, len(b.blocks)), false
}

// payload is the payload of a block.
func (b *logBuffer) payload(k bufferedBlock) []byte {
	return b.bytes[k.start+logBlockHeaderBytes : k.end]
}

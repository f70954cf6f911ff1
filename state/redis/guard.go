package redis

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// What a server may answer: more than any call of this package asks for, and less
// than would use up this process's memory.
const (
	bulkBytesMax = 128 << 20
	listMax      = 1 << 22
	depthMax     = 16
)

// guard looks at the bytes that a server sends before the client does, which trusts
// lengths: a negative one makes it panic, and a large one makes it allocate. Source:
// RESP protocol specification, versions 2 and 3.
type guard struct {
	head   byte   // the type of the element whose first line is being read; 0: none
	line   []byte // the length that stands in that line, as far as it has come
	left   int    // bytes of a string that are still to come
	inside []int  // elements that are missing of each list that has begun
}

// check returns an error for the first byte that no server of redis sends.
func (g *guard) check(p []byte) error {
	for len(p) > 0 {
		switch {
		case g.left > 0:
			n := min(g.left, len(p))
			g.left -= n
			p = p[n:]
			if g.left == 0 {
				g.ended()
			}
		case g.head == 0:
			if !strings.ContainsRune("+-:_#,($!=*%~>", rune(p[0])) {
				return fmt.Errorf("the server sends %q where an answer begins: it is no redis, or it wants TLS", p[0])
			}
			g.head, g.line, p = p[0], g.line[:0], p[1:]
		default:
			end := bytes.IndexByte(p, '\n')
			part := p
			if end >= 0 {
				part = p[:end]
			}
			p = p[len(part):]
			if strings.IndexByte("$!=*%~>", g.head) >= 0 {
				if g.line = append(g.line, part...); len(g.line) > 20 {
					return fmt.Errorf("the server sends the length %.20q", g.line)
				}
			}
			if end < 0 {
				return nil
			}
			p = p[1:]
			if err := g.first(); err != nil {
				return err
			}
		}
	}
	return nil
}

// first ends the first line of an element.
func (g *guard) first() error {
	head := g.head
	g.head = 0
	if strings.IndexByte("$!=*%~>", head) < 0 {
		g.ended()
		return nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(g.line), "\r"))
	text := strings.IndexByte("$!=", head) >= 0
	most := listMax
	if text {
		most = bulkBytesMax
	}
	if err != nil || n < -1 || n > most || n < 0 && head != '$' && head != '*' {
		return fmt.Errorf("the server sends the length %.20q", g.line)
	}
	switch {
	case n < 0 || n == 0 && !text:
		g.ended()
	case text:
		g.left = n + len("\r\n")
	default:
		if head == '%' {
			n *= 2
		}
		if len(g.inside) == depthMax {
			return fmt.Errorf("the server sends lists within lists, more than %d", depthMax)
		}
		g.inside = append(g.inside, n)
	}
	return nil
}

// ended counts an element that is complete, and the lists that it completes.
func (g *guard) ended() {
	for top := len(g.inside) - 1; top >= 0; top-- {
		if g.inside[top]--; g.inside[top] > 0 {
			return
		}
		g.inside = g.inside[:top]
	}
}

// Package sample is code to measure: [Queue], a queue of texts with a bound.
//
//	q := sample.Queue{Max: 2}
//
// # Caveats
//
// It is there to be read by programs, not to be used.
package sample

// Queue is a queue. The zero value takes nothing.
type Queue struct {
	Max   int
	texts []string
}

// push adds a text, unless the queue is full or the text is empty or known.
func (q *Queue) push(text string) bool {
	// TODO: wait for room, if the caller wants that
	if text == "" || len(q.texts) >= q.Max {
		return false
	}
	for _, known := range q.texts {
		if known == text {
			return false
		}
	}
	q.texts = append(q.texts, text)
	return true
}

// pop takes the oldest text out.
func (q *Queue) pop() (string, bool) {
	if len(q.texts) == 0 {
		return "", false
	}
	text := q.texts[0]
	q.texts = q.texts[1:]
	return text, true
}

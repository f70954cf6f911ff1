package sandbox

import (
	"context"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The codes of answers; docs/ABI.md has them.
const (
	codeOK = iota
	codeNotFound
	codeDenied
	codeLimit
	codeInvalid
	codeConflict
	codeUnavailable
	codeTimeout
)

// refusal is an answer that is not what the guest asked for.
type refusal struct {
	code    uint32
	message string
}

func refusalf(code uint32, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// answering makes a host function of one that returns a reply or a refusal. What
// is denied or beyond a limit is counted and logged as of the capability.
func answering(what capability, f func(c *call, g guestBlocks, stack []uint64) ([]byte, *refusal)) api.GoModuleFunc {
	return func(ctx context.Context, m api.Module, stack []uint64) {
		c := callOf(ctx)
		c.stopIfOver()
		reply, no := f(c, guestBlocks{m.Memory()}, stack)
		code := uint32(codeOK)
		if no != nil {
			if code = no.code; code == codeDenied || code == codeLimit {
				c.refuse(what, clip(no.message, 1024))
			}
			reply = []byte(clip(no.message, 4096))
		}
		c.reply = reply
		stack[0] = uint64(code)<<32 | uint64(len(reply))
	}
}

// guestBlocks reads what a guest points at.
type guestBlocks struct{ memory api.Memory }

// block is a view of the guest's memory: it is the guest's, and good until the
// guest runs again. A block that lies outside ends the call.
func (g guestBlocks) block(function, what string, ptr, size uint64) []byte {
	b, ok := g.memory.Read(uint32(ptr), uint32(size))
	if !ok {
		panic(failf(ErrABI, "%s was given a %s at pointer %d with length %d, but the guest's memory ends at %d", function, what, uint32(ptr), uint32(size), g.memory.Size()))
	}
	return b
}

// exportGrants adds what the policy grants to the host module "ingot".
func exportGrants(b wazero.HostModuleBuilder) {
	for _, f := range []struct {
		name    string
		f       api.GoModuleFunc
		params  []api.ValueType
		results []api.ValueType
		names   []string
	}{
		{"reply", hostReply, []api.ValueType{i32}, nil, []string{"ptr"}},
		{"progress", hostProgress, []api.ValueType{f64, f64, i32, i32}, nil, []string{"progress", "total", "message", "messageLen"}},
		{"state_get", answering(capabilityState, hostStateGet), []api.ValueType{i32, i32}, answer, []string{"key", "keyLen"}},
		{"state_set", answering(capabilityState, hostStateSet), []api.ValueType{i32, i32, i32, i32, i64, i64}, answer, []string{"key", "keyLen", "value", "valueLen", "ttlMillis", "ifVersion"}},
		{"state_delete", answering(capabilityState, hostStateDelete), []api.ValueType{i32, i32, i64}, answer, []string{"key", "keyLen", "ifVersion"}},
		{"state_increment", answering(capabilityState, hostStateIncrement), []api.ValueType{i32, i32, i64, i64}, answer, []string{"key", "keyLen", "delta", "ttlMillis"}},
		{"state_list", answering(capabilityState, hostStateList), []api.ValueType{i32, i32, i32, i32, i32}, answer, []string{"prefix", "prefixLen", "after", "afterLen", "limit"}},
		{"http_request", answering(capabilityHTTP, hostHTTPRequest), []api.ValueType{i32, i32, i32, i32}, answer, []string{"head", "headLen", "body", "bodyLen"}},
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(f.f, f.params, f.results).WithParameterNames(f.names...).Export(f.name)
	}
}

const f64 = api.ValueTypeF64

// answer is the result of functions that answer: code<<32 | length.
var answer = []api.ValueType{i64}

// hostReply is ingot.reply(ptr).
func hostReply(ctx context.Context, m api.Module, stack []uint64) {
	c := callOf(ctx)
	c.stopIfOver()
	if ptr := uint32(stack[0]); !m.Memory().Write(ptr, c.reply) {
		panic(failf(ErrABI, "reply was given pointer %d for the %d bytes that wait, but the guest's memory ends at %d", ptr, len(c.reply), m.Memory().Size()))
	}
}

const (
	progressMax      = 1000 // messages of one call that are passed on
	progressBytesMax = 1024 // of one message
)

// progressUse is what a call has told of its progress.
type progressUse struct {
	last  float64
	count int
}

// hostProgress is ingot.progress(progress, total, message, messageLen).
func hostProgress(ctx context.Context, m api.Module, stack []uint64) {
	c := callOf(ctx)
	text := guestBlocks{m.Memory()}.block("progress", "message", stack[2], stack[3])
	c.tellProgress(api.DecodeF64(stack[0]), api.DecodeF64(stack[1]), text)
}

// tellProgress passes progress on. What does not grow, or comes too often, is
// dropped, as the protocol has it.
func (c *call) tellProgress(progress, total float64, text []byte) {
	u := &c.grants.progress
	switch {
	case c.progress == nil, u.count >= progressMax, !(progress > u.last || u.count == 0 && progress == 0), math.IsInf(progress, 0), math.IsInf(total, 0), math.IsNaN(total):
		return
	}
	u.count++
	u.last = progress
	c.progress(progress, max(total, 0), clip(string(text[:min(len(text), 2*progressBytesMax)]), progressBytesMax))
}

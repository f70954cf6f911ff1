package sandbox

import (
	"context"
	"slices"
)

// asker is an abi whose guests may serve methods of the Model Context Protocol
// beside tools.
type asker interface {
	abi
	// methods are the methods that the module serves.
	methods() []string
	// ask runs one of them and returns its result, whose shape was checked.
	ask(c *call, method string, params []byte) ([]byte, error)
}

// AskRequest is one request for something beside a tool.
type AskRequest struct {
	// Method is one of those that Methods names.
	Method string
	// Params is a JSON object, as the protocol has it; nil means an empty one.
	Params []byte
	// Session and Progress are as in [CallRequest].
	Session  string
	Progress func(progress, total float64, message string)
}

// Methods are the methods of the Model Context Protocol that the module serves
// beside its tools: some of resources/list, resources/templates/list,
// resources/read, prompts/list, prompts/get and completion/complete. Only Extism
// plug-ins of version 2 have any.
func (m *Module) Methods() []string {
	if m.asleep != nil {
		return slices.Clone(m.asleep.methods)
	}
	if a, ok := m.abi.(asker); ok {
		return a.methods()
	}
	return nil
}

// Ask asks the module for something beside a tool and returns the result as the
// guest wrote it, a JSON object of the shape that the protocol has for the method.
// It costs and fails as [Module.Call] does.
func (m *Module) Ask(ctx context.Context, r AskRequest) ([]byte, error) {
	awake, err := m.wake(ctx)
	if err != nil {
		m.stats.count(err)
		return nil, err
	}
	if awake != m {
		return awake.Ask(ctx, r)
	}
	a, ok := m.abi.(asker)
	if !ok || !slices.Contains(a.methods(), r.Method) {
		return nil, at(m.info.File, "call", failf(ErrInput, "it does not serve %s", clip(r.Method, nameBytesMax)))
	}
	var out []byte
	err = m.use(ctx, m.logger, CallRequest{Arguments: r.Params, Session: r.Session, Progress: r.Progress}, func(c *call, params []byte) (err error) {
		out, err = a.ask(c, r.Method, params)
		return err
	})
	m.stats.count(err)
	return out, at(m.info.File, "call", err)
}

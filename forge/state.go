package forge

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/state"
)

// stateArguments are the parameters that the built-in functions of the state know.
type stateArguments struct {
	Key        string         `json:"key"`
	Value      jsontext.Value `json:"value"`
	TTLSeconds float64        `json:"ttl_seconds"`
	Delta      *int64         `json:"delta"`
	Prefix     string         `json:"prefix"`
	Cursor     string         `json:"cursor"`
	Limit      int            `json:"limit"`
}

// registerState registers the built-in functions of the state.
func registerState() {
	for path, f := range map[string]func(context.Context, state.Manager, *stateArguments) (any, error){
		"state::get": stateGet, "state::set": stateSet, "state::delete": stateDelete,
		"state::exists": stateExists, "state::increment": stateIncrement, "state::list": stateList,
	} {
		register(path, registered{call: func(ctx context.Context, args []byte) (any, error) {
			var in stateArguments
			if err := json.Unmarshal(args, &in); err != nil {
				return nil, fault.Because(err, fault.InvalidInput, "the arguments do not fit: %v", err)
			}
			out, err := f(ctx, StateOf(ctx), &in)
			return out, stateFault(err)
		}})
	}
}

// stateFault gives an error of the state its class.
func stateFault(err error) error {
	var done *fault.Error
	switch {
	case err == nil || errors.As(err, &done):
		return err
	case refused(err): // by the rules: no failure of the tool, and nothing to try again
		return fault.Because(err, fault.InvalidInput, "%v", err)
	case errors.Is(err, state.ErrKey), errors.Is(err, state.ErrTTL), errors.Is(err, state.ErrValueSize), errors.Is(err, state.ErrOptions):
		return fault.Because(err, fault.InvalidInput, "%v", err)
	case errors.Is(err, state.ErrFull), errors.Is(err, state.ErrReadOnly):
		return fault.Because(err, fault.Unavailable, "%v", err)
	default:
		return fault.Because(err, fault.Failed, "%v", err)
	}
}

func stateGet(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	e, err := m.Get(ctx, in.Key)
	if errors.Is(err, state.ErrNotFound) {
		return map[string]any{"found": false, "value": nil}, nil
	}
	if err != nil {
		return nil, err
	}
	var value any = string(e.Value)
	if v := jsontext.Value(e.Value); v.IsValid() {
		value = v
	} else if !utf8.Valid(e.Value) {
		value = e.Value // as base64
	}
	return map[string]any{"found": true, "value": value, "version": e.Version}, nil
}

// stateSet stores a text as it is and any other value as JSON.
func stateSet(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	if len(in.Value) == 0 {
		return nil, fault.New(fault.InvalidInput, `there is no "value" to store`)
	}
	value := []byte(in.Value)
	if in.Value.Kind() == '"' {
		var text string
		if err := json.Unmarshal(in.Value, &text); err != nil {
			return nil, err
		}
		value = []byte(text)
	}
	version, err := m.Set(ctx, in.Key, value, state.SetOptions{TTL: time.Duration(in.TTLSeconds * float64(time.Second))})
	return map[string]any{"version": version}, err
}

func stateDelete(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	_, deleted, err := m.Delete(ctx, in.Key, state.DeleteOptions{})
	return map[string]any{"deleted": deleted}, err
}

func stateExists(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	exists, err := m.Exists(ctx, in.Key)
	return map[string]any{"exists": exists}, err
}

func stateIncrement(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	delta := int64(1)
	if in.Delta != nil {
		delta = *in.Delta
	}
	sum, _, err := m.Increment(ctx, in.Key, state.IncrementOptions{Delta: delta, TTL: time.Duration(in.TTLSeconds * float64(time.Second))})
	return map[string]any{"value": sum}, err
}

func stateList(ctx context.Context, m state.Manager, in *stateArguments) (any, error) {
	page, err := m.List(ctx, state.ListOptions{Prefix: in.Prefix, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(page.Entries))
	for i, e := range page.Entries {
		keys[i] = e.Key
	}
	return map[string]any{"keys": keys, "next": page.Next}, nil
}

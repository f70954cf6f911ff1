package expression

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const depthMax = 100 // of nested values

// wholeNumbers reads numbers without fraction and exponent as int, where they fit.
var wholeNumbers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(string(raw)); err == nil {
		*v = n
		return nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	*v = f
	return err
}))

// readInto puts a JSON value into an environment; nil when it is absent.
func readInto(env map[string]any, name string, value jsontext.Value) error {
	if len(value) == 0 {
		env[name] = nil
		return nil
	}
	var v any
	if err := json.Unmarshal(value, &v, wholeNumbers); err != nil {
		return fmt.Errorf("%s is no value: %w", name, err)
	}
	env[name] = v
	return nil
}

// appendJSON writes what an expression gave.
func appendJSON(dst []byte, v any, depth int) ([]byte, error) {
	switch {
	case depth > depthMax:
		return nil, fmt.Errorf("the value nests deeper than %d", depthMax)
	case len(dst) > textBytesMax:
		return nil, fmt.Errorf("the value has more than %d bytes", textBytesMax)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the result is no number (something was divided by zero, or is too large)")
		}
		return jsontext.AppendFloat(dst, v, 64), nil
	case string:
		return jsontext.AppendQuote(dst, v)
	case map[string]any:
		return appendObject(dst, v, depth)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		return appendList(dst, v, depth)
	case reflect.Map: // of groupBy: any value is a key
		object := make(map[string]any, r.Len())
		for _, key := range r.MapKeys() {
			text, err := toText(key.Interface())
			if err != nil {
				return nil, err
			}
			object[text.(string)] = r.MapIndex(key).Interface()
		}
		return appendObject(dst, object, depth)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, r.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, r.Uint(), 10), nil
	}
	return nil, fmt.Errorf("the result is of type %s, which JSON does not have", typeOf(v))
}

// appendObject writes the members by their names.
func appendObject(dst []byte, object map[string]any, depth int) ([]byte, error) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			return nil, err
		}
		if dst, err = appendJSON(append(dst, ':'), object[name], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendList(dst []byte, list any, depth int) ([]byte, error) {
	dst = append(dst, '[')
	err := eachOf(list, func(i int, v any) (err error) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, err = appendJSON(dst, v, depth+1)
		return err
	})
	return append(dst, ']'), err
}

// eachOf goes through a list of any type.
func eachOf(list any, do func(i int, v any) error) error {
	if l, ok := list.([]any); ok {
		for i, v := range l {
			if err := do(i, v); err != nil {
				return err
			}
		}
		return nil
	}
	r := reflect.ValueOf(list)
	if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
		return fmt.Errorf("a value of type %s is no list", typeOf(list))
	}
	for i := range r.Len() {
		if err := do(i, r.Index(i).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// typeOf names a value's type as JSON does.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case int, float64:
		return "number"
	case map[string]any:
		return "object"
	}
	if k := reflect.ValueOf(v).Kind(); k == reflect.Slice || k == reflect.Array {
		return "array"
	}
	return fmt.Sprintf("%T", v)
}

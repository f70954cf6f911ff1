package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// SchemaBytesMax bounds a schema's source. The validator's compile time
	// grows with the square of the number of subschemas: at this size a
	// worst-case schema takes about half a second.
	SchemaBytesMax = 64 << 10

	// StepsMax bounds how many (subschema, value) pairs one Validate looks at;
	// each byte of the document allows one more. A tool's arguments need tens
	// to thousands.
	StepsMax = 50_000
)

// location is the name the schema has while it is compiled. It is never fetched.
const location = "schema:///arguments"

// Schema is a compiled JSON Schema. It is safe for concurrent use.
type Schema struct {
	source []byte
	plain  *plain    // nil: only the validator knows it
	idle   sync.Pool // of *program
}

// program is one compiled copy of the schema with its own step counter. A copy
// serves one Validate at a time.
type program struct {
	root       *jsonschema.Schema
	byLocation map[string]*jsonschema.Schema
	steps      int // taken by the Validate that is running
	stepsMax   int // what it may take
}

// Compile reads a JSON Schema. The error says where in the schema the fault is:
// source over [SchemaBytesMax], invalid JSON (duplicate keys included), a
// keyword of the wrong shape, or a $ref that leads outside.
func Compile(source []byte) (*Schema, error) {
	if len(source) > SchemaBytesMax {
		return nil, fmt.Errorf("schema: %d bytes, at most %d are allowed: make it smaller", len(source), SchemaBytesMax)
	}
	s := &Schema{source: bytes.Clone(source)}
	p, err := compile(s.source)
	if err != nil {
		return nil, err
	}
	s.idle.Put(p)
	if doc, err := decode(s.source); err == nil {
		s.plain = plainOf(doc, 0)
	}
	return s, nil
}

// compile makes one program, with a step counter in each of its subschemas.
func compile(source []byte) (*program, error) {
	doc, err := decode(source)
	if err != nil {
		return nil, fmt.Errorf("schema: the JSON cannot be read: %w", err)
	}
	p := &program{byLocation: map[string]*jsonschema.Schema{}}
	var all []*jsonschema.Schema
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.RegisterVocabulary(collector(&all))
	c.AssertVocabs()
	if err := c.AddResource(location, doc); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if p.root, err = c.Compile(location); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	for _, sub := range all {
		p.count(sub)
		p.byLocation[sub.Location] = sub
	}
	return p, nil
}

// collector is a vocabulary without keywords: its Compile runs once for each
// object subschema, and asking for the empty path gives that subschema itself.
func collector(all *[]*jsonschema.Schema) *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "schema:///steps",
		Compile: func(ctx *jsonschema.CompilerContext, _ map[string]any) (jsonschema.SchemaExt, error) {
			*all = append(*all, ctx.Enqueue(nil))
			return nil, nil
		},
	}
}

// count makes sub take a step each time a value is looked at. The validator
// calls the format check before it descends into any other subschema, so it is
// the one place that every recursion passes.
func (p *program) count(sub *jsonschema.Schema) {
	wrapped := sub.Format
	counted := &jsonschema.Format{Name: "steps"}
	if wrapped != nil {
		counted.Name = wrapped.Name
	}
	counted.Validate = func(v any) error {
		if p.steps++; p.steps > p.stepsMax {
			panic(tooManySteps{})
		}
		if wrapped == nil {
			return nil
		}
		return wrapped.Validate(v)
	}
	sub.Format = counted
}

// tooManySteps is what count panics with and Validate recovers.
type tooManySteps struct{}

// noLoader refuses to load anything, so that no $ref reaches a network or a disk.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a $ref to %q is not followed: put the definition under $defs and refer to it with #/$defs/…", url)
}

// Validate checks one JSON document. It returns nil, an [*Error] that names
// each argument at fault, or another error when the document is not JSON or the
// schema took more than [StepsMax] steps.
func (s *Schema) Validate(document []byte) error {
	if s.plain.fits(document) {
		return nil
	}
	return s.validate(document)
}

// validate is Validate by the validator alone.
func (s *Schema) validate(document []byte) error {
	value, err := decode(document)
	if err != nil {
		return fmt.Errorf("the JSON cannot be read: %w", err)
	}
	p, _ := s.idle.Get().(*program)
	if p == nil {
		if p, err = compile(s.source); err != nil {
			return err
		}
	}
	defer s.idle.Put(p)
	p.steps, p.stepsMax = 0, StepsMax+len(document)
	return p.translate(p.validate(value))
}

// validate runs the program and turns an exhausted step count into an error.
func (p *program) validate(value any) (err error) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case tooManySteps:
			err = fmt.Errorf("checking the arguments took more than %d steps: the schema branches too much for this input; simplify the schema or send less", p.stepsMax)
		default:
			panic(r)
		}
	}()
	return p.root.Validate(value)
}

// decode parses JSON strictly (no duplicate keys, valid UTF-8) and keeps the
// digits of numbers.
func decode(b []byte) (any, error) {
	if v := jsontext.Value(b); !v.IsValid() {
		return nil, syntaxError(v)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return value, checkNumbers(value)
}

// Bounds of one number in a document. The validator computes with exact
// fractions, and 1e999999 is a fraction of a million digits: a list of them
// would take hours.
const (
	numberBytesMax = 400
	exponentMax    = 400
)

// checkNumbers refuses numbers that are too long or too large to compute with.
func checkNumbers(value any) error {
	switch value := value.(type) {
	case json.Number:
		_, exponent, _ := strings.Cut(strings.ToLower(string(value)), "e")
		if n, err := strconv.Atoi(cmp.Or(exponent, "0")); err != nil || n > exponentMax || n < -exponentMax || len(value) > numberBytesMax {
			return fmt.Errorf("the number %s is out of range: at most %d characters and exponents from -%d to %d are taken", bound(string(value)), numberBytesMax, exponentMax, exponentMax)
		}
	case []any:
		for _, item := range value {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, member := range value {
			if err := checkNumbers(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// syntaxError finds the words for what IsValid only answered with false.
func syntaxError(v jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadValue(); err != nil {
		return err
	}
	return errors.New("more than one JSON value")
}

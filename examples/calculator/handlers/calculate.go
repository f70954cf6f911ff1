// Package handlers has the Go function of the calculator: [Calculate], which forge.yaml
// names as calculator::calculate.
//
//	out, err := handlers.Calculate(ctx, handlers.Input{Operation: "add", A: 5, B: 3})
//
// # Caveats
//
// Numbers are float64, as those of JSON: 0.1 and 0.2 have the sum 0.30000000000000004.
package handlers

import (
	"context"
	"fmt"
	"math"

	"github.com/ingot-run/ingot/forge"
)

func init() { forge.Handle("calculator::calculate", Calculate) }

// Input are the arguments, already checked against the parameters of forge.yaml.
type Input struct {
	Operation string  `json:"operation"` // add, subtract, multiply or divide
	A         float64 `json:"a"`
	B         float64 `json:"b"`
}

// Output is the answer.
type Output struct {
	Result float64 `json:"result"`
}

// Calculate does one operation. A result that is no number of JSON is an error.
func Calculate(_ context.Context, in Input) (Output, error) {
	var result float64
	switch in.Operation {
	case "add":
		result = in.A + in.B
	case "subtract":
		result = in.A - in.B
	case "multiply":
		result = in.A * in.B
	case "divide":
		if in.B == 0 {
			return Output{}, fmt.Errorf("%v cannot be divided by 0", in.A)
		}
		result = in.A / in.B
	default:
		return Output{}, fmt.Errorf("there is no operation %q", in.Operation)
	}
	if math.IsInf(result, 0) {
		return Output{}, fmt.Errorf("the result of %s is too large", in.Operation)
	}
	return Output{result}, nil
}

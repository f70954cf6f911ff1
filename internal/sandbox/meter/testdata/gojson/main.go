// Command gojson is the guest of the metering benchmark: it decodes JSON into
// typed values and encodes them again, as a tool's handler does.
package main

import (
	"encoding/json"
	"unsafe"
)

type order struct {
	ID       int64             `json:"id"`
	Customer string            `json:"customer"`
	Paid     bool              `json:"paid"`
	Total    float64           `json:"total"`
	Items    []item            `json:"items"`
	Labels   map[string]string `json:"labels"`
}

type item struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

var in, out []byte

// alloc gives room for the next input.
//
//go:wasmexport alloc
func alloc(size uint32) uint32 {
	in = make([]byte, size)
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(in))))
}

// call decodes the input and encodes it again: address << 32 | length.
//
//go:wasmexport call
func call() uint64 {
	var o order
	if err := json.Unmarshal(in, &o); err != nil {
		panic(err)
	}
	o.Total = 0
	for _, i := range o.Items {
		o.Total += float64(i.Quantity) * i.Price
	}
	var err error
	if out, err = json.Marshal(o); err != nil {
		panic(err)
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(out))))<<32 | uint64(len(out))
}

func main() {}

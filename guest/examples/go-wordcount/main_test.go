package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	guest "github.com/ingot-run/ingot/guest/go"
)

func TestMeasure(t *testing.T) {
	zero, two := 0, 2
	for name, c := range map[string]struct {
		args Args
		want Result
	}{
		"empty": {Args{}, Result{}},
		"two lines": {Args{Text: "The cat and the dog.\nThe cat's don't-care mood", Top: &two},
			Result{Lines: 2, Words: 9, DistinctWords: 7, Characters: 46, Bytes: 46, ReadingSeconds: 3, Top: []WordCount{{"the", 3}, {"and", 1}}}},
		"case": {Args{Text: "The the", MatchCase: true, Top: &two},
			Result{Lines: 1, Words: 2, DistinctWords: 2, Characters: 7, Bytes: 7, ReadingSeconds: 1, Top: []WordCount{{"The", 1}, {"the", 1}}}},
		"no list": {Args{Text: "a\n", Top: &zero}, Result{Lines: 1, Words: 1, DistinctWords: 1, Characters: 2, Bytes: 2, ReadingSeconds: 1, Top: []WordCount{}}},
		"other scripts": {Args{Text: "Ähre ähre — слово", MinLength: 5},
			Result{Lines: 1, Words: 3, DistinctWords: 2, Characters: 17, Bytes: 26, ReadingSeconds: 1, Top: []WordCount{{"слово", 1}}}},
		"only marks": {Args{Text: "-- ' ’"}, Result{Lines: 1, Characters: 6, Bytes: 8}},
	} {
		got, err := measure(c.args)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

func TestThroughTheSDK(t *testing.T) {
	out, err := guest.Call([]byte(`{"text":"a b a","top":1}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"lines":1,"words":3,"distinct_words":2,"characters":5,"bytes":5,"reading_seconds":1,"top":[{"word":"a","count":2}]}`, string(out))
	out, err = guest.Call([]byte(`{"text":""}`))
	require.NoError(t, err)
	require.Contains(t, string(out), `"top":[]`, "an empty list is a list")
	require.True(t, json.Valid(guest.Describe()))
	_, err = guest.Call([]byte(`{"text":1}`))
	require.ErrorContains(t, err, "text")
}

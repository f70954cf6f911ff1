package sandbox

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// Whatever a guest writes: a result is refused with a reason, or it can be read as
// clients read it.
func FuzzResultFault(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"text","text":"x"}],"isError":false}`, `{"content":[{"type":"resource","resource":{"uri":"a","blob":""}}]}`,
		`{"content":null}`, `{"content":[[]]}`, `[]`, `{`, ``, `{"content":[{"type":1}]}`, "{\"content\":[{\"type\":\"text\",\"text\":\"\xff\"}]}",
		`{"resources":[{"uri":"a","name":"b"}],"nextCursor":null}`, `{"completion":{"values":["a"],"total":1}}`, `{"messages":[{"role":"user","content":{"type":"text","text":""}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for method := range resultShapes {
			if objectFault(raw) != "" || resultFault(method, raw) != "" || method != "tools/call" {
				continue
			}
			var result struct {
				Content []struct {
					Type string  `json:"type"`
					Text *string `json:"text"`
				} `json:"content"`
				IsError bool `json:"isError"`
			}
			require.NoError(t, json.Unmarshal(raw, &result), "%s", raw)
			for _, block := range result.Content {
				require.NotEmpty(t, block.Type)
				if block.Type == "text" {
					require.NotNil(t, block.Text)
				}
			}
		}
	})
}

// A module cut or changed anywhere has sections within its bounds, or none.
func FuzzCustomSection(f *testing.F) {
	f.Add(append(append([]byte{}, wasmHeader...), 0, 3, 1, 'a', 'b'), "a")
	f.Add(append(append([]byte{}, wasmHeader...), 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "a")
	f.Add(append(append([]byte{}, wasmHeader...), 0, 0), "")
	f.Fuzz(func(t *testing.T, module []byte, name string) {
		if len(module) < len(wasmHeader) {
			return // wazero has refused it before
		}
		require.LessOrEqual(t, len(customSection(module, name)), len(module))
	})
}

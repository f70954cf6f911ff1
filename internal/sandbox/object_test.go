package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What plainObject takes, jsontext takes too; and it takes what is usual.
func TestPlainObject(t *testing.T) {
	var members []string
	for n := range plainMembersMax + 1 {
		members = append(members, fmt.Sprintf(`"m%d":%d`, n, n))
	}
	for text, want := range map[string]bool{
		`{}`: true, ` { } `: true, "\n\t\r{\n}": true, `{"a":1}`: true, `{"a" : [ ] , "b":{"a":[1,2,{}]}}`: true,
		`{"a":"\"\\\/\b\f\n\r\tĀ€"}`: true, `{"ä":"€😀"}`: true, `{"a":-0.5e+10,"b":0,"c":10E2}`: true,
		`{"a":true,"b":false,"c":null}`: true, `{"":""}`: true, `{"a":{"a":1},"b":{"a":1}}`: true,
		`{"a":"` + strings.Repeat("x", 1000) + `"}`:                                               true,
		`{"a":` + strings.Repeat("[", jsonDepthMax-1) + strings.Repeat("]", jsonDepthMax-1) + "}": true,
		`{"a":` + strings.Repeat("[", jsonDepthMax) + strings.Repeat("]", jsonDepthMax) + "}":     false,
		`{` + strings.Join(members[:plainMembersMax], ",") + `}`:                                  true,
		`{` + strings.Join(members, ",") + `}`:                                                    false, // jsontext's
		`{"a":"\ud83d\ude00"}`:                                                                    false, // too
		``:                                                                                        false, ` `: false, `[]`: false, `"a"`: false, `{`: false, `{}{}`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false,
		`{"a":01}`: false, `{"a":1.}`: false, `{"a":.5}`: false, `{"a":1e}`: false, `{"a":-}`: false, `{"a":+1}`: false, `{a:1}`: false,
		`{"a":1,"a":2}`: false, `{"a":1,"\u0061":2}`: false, `{"a":"\x"}`: false, `{"a":"\u00g0"}`: false, `{"a":"\u00"}`: false,
		"{\"a\":\"\xe4\"}": false, "{\"a\":\"\x01\"}": false, "{\"a\":\"12345678\n\"}": false, `{"a":"b`: false, `{"a":tru}`: false, `{"a":"\`: false,
		"{\"a\":\"\xed\xa0\x80\"}": false, `{"a":nul`: false, `{,}`: false, `{"a":[1,]}`: false, `{"a":[1 2]}`: false, `{"a" 1}`: false,
	} {
		require.Equal(t, want, plainObject([]byte(text)), text)
		if want {
			require.Empty(t, slowObjectFault([]byte(text)), text)
		}
	}
}

func FuzzPlainObject(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\n€",true,null,{}]}`, `{"a":"\u0041"}`, `{"a":1,"b":2}`, "{\"a\":\"\xed\xa0\x80\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if plainObject(text) {
			if fault := slowObjectFault(text); fault != "" {
				t.Fatalf("%q: jsontext says that they %s", text, fault)
			}
		}
	})
}

func BenchmarkObjectFault(b *testing.B) {
	text := []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)
	for name, check := range map[string]func([]byte) string{"plain": objectFault, "jsontext": slowObjectFault} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if check(text) != "" {
					b.Fatal()
				}
			}
		})
	}
}

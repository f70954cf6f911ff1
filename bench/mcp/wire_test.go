package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func echoAnswer(id int, text string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":%q}]}}`, id, text)
}

func TestCheckAcceptsTheOwnPayloadOnly(t *testing.T) {
	for _, size := range []int{payloadSmall, payloadLarge} {
		tr := newTraffic(workEcho, size, false)
		for id := firstID; id < firstID+1000; id += 37 {
			payload := string(tr.payload(nil, id))
			require.Len(t, payload, size)
			got, err := tr.check(echoAnswer(id, payload))
			require.NoError(t, err)
			require.Equal(t, id, got)
		}
		require.Equal(t, 1, tr.answersDecoded, "every answer but the first goes by its form")

		wrong := map[string][]byte{
			"another request's payload": echoAnswer(firstID+5, string(tr.payload(nil, firstID+6))),
			"one byte changed":          echoAnswer(firstID+5, string(tr.payload(nil, firstID+5)[:size-1])+"!"),
			"cut":                       echoAnswer(firstID+5, string(tr.payload(nil, firstID+5)[:size-1])),
			"id of letters":             []byte(strings.Replace(string(echoAnswer(firstID, string(tr.payload(nil, firstID)))), "1000000000", `"00000000"`, 1)),
			"error":                     []byte(`{"jsonrpc":"2.0","id":1000000000,"error":{"code":-32603,"message":"x"}}`),
			"isError":                   []byte(strings.Replace(string(echoAnswer(firstID, string(tr.payload(nil, firstID)))), `{"content"`, `{"isError":true,"content"`, 1)),
		}
		for name, line := range wrong {
			_, err := tr.check(line)
			require.Error(t, err, name)
		}
	}
}

func TestCheckTakesAnotherFormByDecoding(t *testing.T) {
	tr := newTraffic(workEcho, payloadSmall, false)
	_, err := tr.check(echoAnswer(firstID, string(tr.payload(nil, firstID))))
	require.NoError(t, err)
	other := fmt.Sprintf(`{"result":{"content":[{"text":%q,"type":"text"}]},"id":%d,"jsonrpc":"2.0"}`, tr.payload(nil, firstID+1), firstID+1)
	id, err := tr.check([]byte(other))
	require.NoError(t, err)
	require.Equal(t, firstID+1, id)
	require.Equal(t, 2, tr.answersDecoded)
}

func TestCheckStateGet(t *testing.T) {
	tr := newTraffic(workStateGet, payloadSmall, true)
	answer := func(id int, value, textValue string) []byte {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":%q}],"structuredContent":{"found":true,"value":%q}}}`,
			id, fmt.Sprintf(`{"found":true,"value":%q}`, textValue), value)
	}
	stored := string(tr.payload(nil, firstID))
	for id := firstID; id < firstID+50; id++ {
		got, err := tr.check(answer(id, stored, stored))
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	require.Equal(t, 1, tr.answersDecoded, "the stored payload carries the first id's tag, which is no tag here")
	_, err := tr.check(answer(firstID+60, stored, "x"))
	require.Error(t, err)
	_, err = tr.check(answer(firstID+60, string(tr.payload(nil, firstID+60)), string(tr.payload(nil, firstID+60))))
	require.Error(t, err)
}

func TestRequestsAreOneLineOfJSON(t *testing.T) {
	for _, modern := range []bool{false, true} {
		for _, work := range []workload{workEcho, workStateGet} {
			tr := newTraffic(work, payloadSmall, modern)
			line := string(tr.appendRequest(nil, firstID))
			require.JSONEq(t, line, line)
			require.Equal(t, 1, strings.Count(line, "\n"))
			require.Equal(t, modern, strings.Contains(line, modernVersion))
			require.Equal(t, work == workEcho, strings.Contains(line, string(tr.payload(nil, firstID))))
			require.JSONEq(t, tr.storeRequest(3, modern), tr.storeRequest(3, modern))
		}
	}
}

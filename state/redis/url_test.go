package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

func TestURL(t *testing.T) {
	for url, want := range map[string]target{
		"redis://":                       {addresses: []string{"localhost:6379"}},
		"redis://h":                      {addresses: []string{"h:6379"}},
		"valkey://h:1/2":                 {addresses: []string{"h:1"}, database: 2},
		"redis://u:p%40%2F:x@h":          {addresses: []string{"h:6379"}, username: "u", password: "p@/:x"},
		"redis://:p@h":                   {addresses: []string{"h:6379"}, password: "p"},
		"redis://u:a@b@h":                {addresses: []string{"h:6379"}, username: "u", password: "a@b"},
		"redis://[::1]:7/0":              {addresses: []string{"[::1]:7"}},
		"redis://[::1]":                  {addresses: []string{"[::1]:6379"}},
		"redis+cluster://a,b:7001":       {addresses: []string{"a:6379", "b:7001"}, cluster: true},
		"redis://a,b,c/?cluster=true":    {addresses: []string{"a:6379", "b:6379", "c:6379"}, cluster: true},
		"redis+sentinel://a,b:1/main":    {addresses: []string{"a:26379", "b:1"}, master: "main"},
		"redis+sentinel://u:p@a/main/3":  {addresses: []string{"a:26379"}, master: "main", database: 3, username: "u", password: "p"},
		"redis+sentinel://a/main?wait=2": {addresses: []string{"a:26379"}, master: "main"},
	} {
		o := Options{URL: url}
		got, err := o.resolve()
		require.NoError(t, err, url)
		require.NotContains(t, got.shown, "p%40", url)
		got.shown = ""
		require.Equal(t, want, got, url)
	}
	for url, tells := range map[string]string{
		"":                               "no scheme",
		"h:6379":                         "no scheme",
		"http://h":                       "the scheme",
		"redis+ring://h":                 "the scheme",
		"redis://h:x":                    "no port",
		"redis://h:99999":                "no port",
		"redis://a,b":                    "redis+cluster://",
		"redis://a,,b/?cluster=true":     "commas",
		"redis://h/x":                    "no number of a database",
		"redis+cluster://h/1":            "database 0",
		"redis+sentinel://h":             "/mymaster",
		"redis+sentinel://h/m?cluster=1": "Sentinels",
		"redis://h?colour=red":           "colour",
		"redis://h?timeout=soon":         "timeout",
		"redis://h?wait=-1":              "WaitReplicas",
		"redis://u:%zz@h":                "%25",
		"redis://h?name=a{b":             "braces",
		"redis://h?timeout=1ns":          "Timeout",
		"redis://a:b:99999":              "too many colons",
	} {
		o := Options{URL: url}
		_, err := o.resolve()
		require.ErrorIs(t, err, state.ErrOptions, url)
		require.ErrorContains(t, err, tells, url)
		require.NotContains(t, err.Error(), "zz", url)
	}
	for name, o := range map[string]Options{
		"Buckets":          {URL: "redis+cluster://h", Buckets: 2000},
		"only a cluster":   {URL: "redis://h", Buckets: 2},
		"CacheEntries":     {URL: "redis://h", CacheEntries: -1},
		"BytesMax":         {URL: "redis://h", BytesMax: -1},
		"StreamEvents":     {URL: "redis://h", StreamEvents: -1},
		"StreamValueBytes": {URL: "redis://h", StreamValueBytes: -5},
		"Timeout":          {URL: "redis://h", Timeout: -time.Second},
	} {
		_, err := o.resolve()
		require.ErrorIs(t, err, state.ErrOptions, name)
		require.ErrorContains(t, err, name)
	}
	o := Options{URL: "redis://h?name=a&timeout=7s&wait=2", Name: "b"}
	_, err := o.resolve()
	require.NoError(t, err)
	require.Equal(t, Options{URL: o.URL, Name: "b", Timeout: 7 * time.Second, WaitReplicas: 2}, Options{URL: o.URL, Name: o.Name, Timeout: o.Timeout, WaitReplicas: o.WaitReplicas})
	_, err = (&Options{URL: "redis://h", TTL: -1}).resolve()
	require.ErrorIs(t, err, state.ErrTTL)
}

// The slots of keys are those of the specification, and buckets share them evenly.
func TestSlots(t *testing.T) {
	require.Equal(t, 0x31C3, slotOf("123456789"), "the check value of CRC-16/XMODEM")
	for key, tag := range map[string]string{
		"k": "k", "{a}k": "a", "k{a}b{c}": "a", "{}k": "{}k", "k{": "k{", "{{a}}": "{a", "a}{b}": "b",
	} {
		require.Equal(t, tag, hashTag(key), key)
	}
	for _, count := range []int{1, 2, 3, 16, 1000, bucketsMax} {
		for i, b := range makeBuckets("n", count) {
			tag, _, _ := strings.Cut(strings.TrimPrefix(b.meta, "n:{"), "}")
			if count > 1 {
				require.Equal(t, i, slotOf(tag)*count/slotCount)
			}
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, end := range map[string]string{"": "", "a": "b", "a\xff": "b", "\xff\xff": "", "a\x00": "a\x01", "ab": "ac", "\xfe": "\xff", "a\xc3\xff": "a\xc4", "a\x80\xff\xff": "a\x81"} {
		require.Equal(t, end, prefixEnd(prefix), "%q", prefix)
	}
}

package config

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	inDir(t, `{"application":{"trusted_proxies":["10.0.0.0/8","0.0.0.0/0"]},"redis":{"addr":"a:1"}}`)
	c := mustLoad(t, Source{Env: []string{"TYK_PROX_REDIS__ADDRS=b:1,c:1"}})
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.String())
	}
	want := []string{
		"application.trusted_proxies: 0.0.0.0/0 trusts every peer, so any client can claim any address; list only your proxies",
		"redis.addr: ignored, because redis.addrs replaces it; set only one of the two",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	c.Warnings()[0].Key = "changed"
	if c.Warnings()[0].Key == "changed" {
		t.Error("Warnings hands out its own list")
	}
	// As --redis does it over a file with a Cluster.
	c = mustLoad(t, Source{Flags: map[string]string{"redis.addr": "a:1", "redis.addrs": ""}})
	if len(c.Warnings()) != 1 {
		t.Errorf("%v", c.Warnings())
	}
}

func TestUnread(t *testing.T) {
	got := Unread([]string{
		"TYK_PROX_REDIS__PASSWORD_FILE=x", "TYK_PROX_LOG__LEVEL=Info", "TYK_PROX_LOG__FORMAT=", "TYK_PROX_SERVICE_HOST=x", "TYK_PROX_TYPO=1", "PATH=x", "",
	})
	if want := []string{"TYK_PROX_LOG__LEVEL", "TYK_PROX_REDIS__PASSWORD_FILE"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

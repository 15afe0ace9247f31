package ledger

import "testing"

func TestOnceEach(t *testing.T) {
	o := newOnceEach(2)
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{"a", true}, {"a", false}, {"b", true}, {"b", false},
		{"c", true}, // full: it starts over
		{"a", true}, {"c", false},
	} {
		if got := o.first(tt.key); got != tt.want {
			t.Errorf("first(%q) = %v, want %v", tt.key, got, tt.want)
		}
	}
}

package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/storage"
)

func TestBusiest(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, options := start(t)
			r := open(t, server, options)
			key := func(name string) string { return name + strings.Repeat("-", 16) }
			set := func(name, record string) {
				if err := r.store.At().Client.Set(t.Context(), r.RecordName(key(name)), record, 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			book := ledger.New(r.store, ledger.Options{})
			take := func(name string, n int) {
				for range n {
					if _, err := book.Take(t.Context(), key(name), func(*storage.Record) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
			of := func(limit int) string { return fmt.Sprintf(`{"rate_limit":%d,"window":"876000h"}`, limit) }
			for i := range 2 * scanStep {
				set(fmt.Sprint("idle", i), of(5))
			}
			set("spent", of(3))
			take("spent", 3)
			set("refused", of(2))
			take("refused", 4)
			set("half", of(10))
			take("half", 5)
			set("little", of(100))
			take("little", 9)
			set("lowered", of(9))
			take("lowered", 8)
			set("lowered", of(4))
			set("closed", of(0)) // a limit of none
			take("closed", 1)
			set("broken", of(5))
			take("broken", 5)
			set("broken", "{")
			if err := r.store.At().Client.RPush(t.Context(), r.RecordName(key("alist")), "x").Err(); err != nil {
				t.Fatal(err)
			}

			for _, tt := range []struct {
				n    int
				want string
			}{
				{10, "refused 2+2 closed 0+1 lowered 8+0 spent 3+0 half 5+0 little 9+0"},
				{3, "refused 2+2 closed 0+1 lowered 8+0"},
				{1, "refused 2+2"},
			} {
				top, err := r.Busiest(t.Context(), tt.n)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range top {
					got = append(got, fmt.Sprintf("%s %d+%d", strings.TrimRight(s.APIKey, "-"), s.Used, s.Refused))
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("the first %d: %q, want %s", tt.n, got, tt.want)
				}
			}
		})
	}
}

// TestRankingHoldsAKeyOnce holds for a walk that comes by a key twice.
func TestRankingHoldsAKeyOnce(t *testing.T) {
	r := ranking{size: 2, order: NearLimit}
	enter := func(key string, used int64) {
		s := Standing{APIKey: key}
		s.Used, s.Remaining = used, 10-used
		r.enter(s)
	}
	enter("a", 5)
	enter("b", 4)
	enter("a", 6)
	enter("a", 3)
	if len(r.list) != 2 || r.list[0].APIKey != "b" || r.list[1].APIKey != "a" || r.list[1].Used != 3 {
		t.Errorf("%+v, want b, and a as last seen", r.list)
	}
}

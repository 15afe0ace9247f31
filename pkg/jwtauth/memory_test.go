package jwtauth_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// What hangs on the time is judged anew, in either direction.
func TestMemoryDoesNotStopTheClock(t *testing.T) {
	key := newKey(t, "HS256").Between(now.Add(-time.Hour), now.Add(2*time.Hour))
	plain := must(jwtauth.NewVerifier(key))
	remembering := plain.Remember(10)
	ends := seal(secret, header, payload())
	lasts := seal(secret, header, strings.Replace(payload(`"nbf":1800000000`), "1800003600", "253402300799", 1))
	for _, token := range []string{ends, lasts} {
		if _, err := remembering.Verify(token, now); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, -61 * time.Second, time.Hour - 1, time.Hour, 2 * time.Hour, -time.Hour, -2 * time.Hour, 0} {
			got, err := remembering.Verify(token, now.Add(after))
			want, wantErr := plain.Verify(token, now.Add(after))
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("after %v: %+v, %v with a memory, %+v, %v without", after, got, err, want, wantErr)
			}
		}
	}
}

// What was established ends with the keys that established it.
func TestMemoryIsOfItsOwnKeys(t *testing.T) {
	token := must(newKey(t, "HS256").Sign(claims()))
	v := newVerifier(t, "HS256").Remember(10)
	if _, err := v.Verify(token, now); err != nil {
		t.Fatal(err)
	}
	other := must(jwtauth.NewVerifier(must(jwtauth.NewHMACKey("HS256", []byte(strings.ToUpper(secret))))))
	for _, v := range []*jwtauth.Verifier{other, other.Remember(10), other.Remember(0)} {
		if _, err := v.Verify(token, now); !errors.Is(err, jwtauth.ErrInvalid) {
			t.Errorf("another key set says %v", err)
		}
	}
}

// A token that differs from a remembered one in any byte is another token.
func TestMemoryComparesAllOfIt(t *testing.T) {
	v := newVerifier(t, "HS256").Remember(1)
	token := must(newKey(t, "HS256").Sign(claims()))
	for i := range len(token) {
		if _, err := v.Verify(token, now); err != nil {
			t.Fatal(err)
		}
		changed := token[:i] + string(token[i]^1) + token[i+1:]
		if _, err := v.Verify(changed, now); !errors.Is(err, jwtauth.ErrInvalid) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// However little room there is, and however many ask at once, answers are right.
func TestMemoryThatIsTooSmall(t *testing.T) {
	key := newKey(t, "HS256")
	type made struct{ token, apiKey string }
	var tokens []made
	for range 50 {
		c := claims()
		c.APIKey = jwtauth.NewAPIKey()
		tokens = append(tokens, made{must(key.Sign(c)), c.APIKey})
	}
	for _, size := range []int{1, 3, 4, 7} {
		v := newVerifier(t, "HS256").Remember(size)
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := range 500 {
					m := tokens[(i*(worker+1))%len(tokens)]
					if got, err := v.Verify(m.token, now); err != nil || got.APIKey != m.apiKey {
						t.Errorf("got %+v, %v", got, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestMemoryDoesNotAllocate(t *testing.T) {
	v := newVerifier(t, "HS256").Remember(100)
	token := must(newKey(t, "HS256").Sign(claims()))
	verify := func() {
		if _, err := v.Verify(token, now); err != nil {
			t.Fatal(err)
		}
	}
	verify()
	if n := testing.AllocsPerRun(100, verify); n != 0 {
		t.Errorf("a remembered token costs %v allocations", n)
	}
}

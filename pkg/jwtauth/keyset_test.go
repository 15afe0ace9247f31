package jwtauth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// keySet has a key without an id, one with a secret, a pair, and half a pair.
func keySet(t *testing.T) (keys map[string]jwtauth.Key, v *jwtauth.Verifier) {
	t.Helper()
	named := func(key jwtauth.Key, id string) jwtauth.Key { return must(key.WithID(id)) }
	keys = map[string]jwtauth.Key{
		"":        newKey(t, "HS256"),
		"2027-01": named(must(jwtauth.NewHMACKey("HS512", []byte(strings.Repeat("another secret ", 3)))), "2027-01"),
		"pair":    named(fromPEM(t, "ES256", pairs()["ES256"].secret), "pair"),
		"<é&\"\\": named(fromPEM(t, "EdDSA", pairs()["EdDSA"].public), "<é&\"\\"),
	}
	var all []jwtauth.Key
	for _, key := range keys {
		all = append(all, key)
	}
	return keys, must(jwtauth.NewVerifier(all...))
}

func TestKeyIDNamesTheKey(t *testing.T) {
	keys, v := keySet(t)
	for id, key := range keys {
		if key.ID() != id {
			t.Errorf("ID = %q, want %q", key.ID(), id)
		}
		if !key.CanSign() {
			key = must(fromPEM(t, "EdDSA", pairs()["EdDSA"].secret).WithID(id))
		}
		token := must(key.Sign(claims()))
		if got, err := v.Verify(token, now); err != nil || got.APIKey != apiKey {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
		head, _, _ := jwtauth.Peek(token)
		if id == "pair" && string(head) != `{"alg":"ES256","typ":"JWT","kid":"pair"}` {
			t.Errorf("header %s", head)
		}
	}
	// In another order, and spelled otherwise, it is the same header.
	token := seal(secret, `{"kid":"\u0062","alg":"HS256"}`, payload())
	b := must(newKey(t, "HS256").WithID("b"))
	if _, err := must(jwtauth.NewVerifier(b)).Verify(token, now); err != nil {
		t.Error(err)
	}
}

func TestKeyIDRefused(t *testing.T) {
	_, v := keySet(t)
	only := must(jwtauth.NewVerifier(must(newKey(t, "HS256").WithID("only"))))
	for _, tt := range []struct {
		v              *jwtauth.Verifier
		header, reason string
	}{
		{v, `{"alg":"HS256","kid":"nobody"}`, `header "kid" names an unknown key`},
		{v, `{"alg":"HS256","kid":""}`, `header "kid" names an unknown key`},
		{v, `{"alg":"HS256","kid":"2027-01"}`, `header "alg" is not "HS512"`},
		{v, `{"alg":"HS256","kid":"pair"}`, `header "alg" is not "ES256"`},
		{v, `{"alg":"HS512"}`, `header "alg" is not "HS256"`},
		{v, `{"alg":"HS256","kid":["pair"]}`, `header "kid" is not a string`},
		{v, `{"alg":"HS256","kid":"` + strings.Repeat("k", 65) + `"}`, `header "kid" is longer than 64 characters`},
		{v, `{"alg":"HS256","kid":"pair","kid":"pair"}`, `header: duplicate member name "kid"`},
		{only, header, `header "kid" is missing`},
		{new(jwtauth.Verifier), header, `header "kid" is missing`},
	} {
		_, err := tt.v.Verify(seal(secret, tt.header, payload()), now)
		checkRefusal(t, err, jwtauth.ErrInvalid, tt.reason)
	}
}

func TestKeyIDsAreChecked(t *testing.T) {
	key := newKey(t, "HS256")
	for _, id := range []string{"", strings.Repeat("k", 65), "a\x00", "a\nb", "\xff"} {
		if _, err := key.WithID(id); !errors.Is(err, jwtauth.ErrKey) {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if _, err := key.WithID(strings.Repeat("é", 64)); err != nil {
		t.Error(err)
	}
	named := must(key.WithID("a"))
	for _, keys := range [][]jwtauth.Key{{key, key}, {key, named, named}} {
		if _, err := jwtauth.NewVerifier(keys...); !errors.Is(err, jwtauth.ErrKey) {
			t.Errorf("%d keys: %v", len(keys), err)
		}
	}
	if _, err := jwtauth.NewVerifier(); !errors.Is(err, jwtauth.ErrWeakSecret) {
		t.Errorf("no keys: %v", err)
	}
}

// An operator with several keys is told which one it was.
func TestRefusalNamesTheKey(t *testing.T) {
	named := must(newKey(t, "HS256").WithID("2026-12"))
	token := must(named.Sign(claims()))
	for key, reason := range map[*jwtauth.Key]string{
		new(named.Between(time.Time{}, now)):                `the key "2026-12", named by header "kid", is retired`,
		new(named.Between(now.Add(time.Hour), time.Time{})): `the key "2026-12", named by header "kid", is not in use yet`,
	} {
		_, err := must(jwtauth.NewVerifier(*key)).Verify(token, now)
		checkRefusal(t, err, jwtauth.ErrInvalid, reason)
	}
}

// A key is known everywhere before anyone signs with it, and refused from its end.
func TestKeyLifetime(t *testing.T) {
	begin, end := now, now.Add(time.Minute)
	key := newKey(t, "HS256").Between(begin, end)
	v := must(jwtauth.NewVerifier(key))
	token := must(key.Sign(claims()))
	for _, tt := range []struct {
		after  time.Duration
		active bool
		reason string
	}{
		{-61 * time.Second, false, "its key is not in use yet"},
		{-60 * time.Second, false, ""},
		{-time.Second, false, ""},
		{0, true, ""},
		{time.Minute - time.Nanosecond, true, ""},
		{time.Minute, false, "its key is retired"},
		{time.Hour / 2, false, "its key is retired"},
	} {
		at := now.Add(tt.after)
		if got := key.Active(at); got != tt.active {
			t.Errorf("%v after its begin: active %t", tt.after, got)
		}
		_, err := v.Verify(token, at)
		if tt.reason != "" {
			checkRefusal(t, err, jwtauth.ErrInvalid, tt.reason)
		} else if err != nil {
			t.Errorf("%v after its begin: %v", tt.after, err)
		}
	}
	if got := key.NotBefore(); !got.Equal(begin) {
		t.Errorf("NotBefore = %v", got)
	}
	forever := key.Between(time.Time{}, time.Time{})
	if !forever.Active(time.Unix(1, 0)) || !forever.Active(now.AddDate(1000, 0, 0)) || !forever.NotBefore().IsZero() {
		t.Error("a key without bounds has some")
	}
}

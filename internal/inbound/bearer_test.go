package inbound_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/inbound"
)

func TestBearer(t *testing.T) {
	longest := strings.Repeat("a", 16<<10)
	tests := []struct {
		name  string
		lines []string
		token string
		want  error
	}{
		{"a token", []string{"Bearer abc.def-ghi_jkl~m+n/o=="}, "abc.def-ghi_jkl~m+n/o==", nil},
		{"lower case", []string{"bearer x"}, "x", nil},
		{"mixed case", []string{"bEARer x"}, "x", nil},
		{"longest", []string{"Bearer " + longest}, longest, nil},

		{"no field", nil, "", inbound.ErrNoToken},
		{"empty field", []string{""}, "", inbound.ErrNoToken},
		{"another scheme", []string{"Basic dXNlcjpwYXNz"}, "", inbound.ErrNoToken},
		{"longer scheme", []string{"Bearers x"}, "", inbound.ErrNoToken},
		{"shorter scheme", []string{"Bear x"}, "", inbound.ErrNoToken},
		{"token alone", []string{"abc.def.ghi"}, "", inbound.ErrNoToken},
		{"blank first", []string{" Bearer x"}, "", inbound.ErrNoToken},

		{"scheme alone", []string{"Bearer"}, "", inbound.ErrBadToken},
		{"scheme and blank", []string{"Bearer "}, "", inbound.ErrBadToken},
		{"tab", []string{"Bearer\tx"}, "", inbound.ErrBadToken},
		{"two blanks", []string{"Bearer  x"}, "", inbound.ErrBadToken},
		{"blank and tab", []string{"Bearer \tx"}, "", inbound.ErrBadToken},
		{"comma after the scheme", []string{"Bearer,x"}, "", inbound.ErrBadToken},
		{"two tokens", []string{"Bearer x y"}, "", inbound.ErrBadToken},
		{"list", []string{"Bearer x,y"}, "", inbound.ErrBadToken},
		{"list of schemes", []string{"Bearer x, Basic y"}, "", inbound.ErrBadToken},
		{"blank last", []string{"Bearer x "}, "", inbound.ErrBadToken},
		{"quoted", []string{`Bearer "x"`}, "", inbound.ErrBadToken},
		{"parameter", []string{"Bearer token=x"}, "", inbound.ErrBadToken},
		{"padding alone", []string{"Bearer =="}, "", inbound.ErrBadToken},
		{"padding within", []string{"Bearer a=b"}, "", inbound.ErrBadToken},
		{"not ASCII", []string{"Bearer é"}, "", inbound.ErrBadToken},
		{"too long", []string{"Bearer " + longest + "a"}, "", inbound.ErrTokenTooLarge},

		{"two fields", []string{"Bearer x", "Bearer x"}, "", inbound.ErrMalformed},
		{"two fields, one Basic", []string{"Basic x", "Bearer x"}, "", inbound.ErrMalformed},
		{"two empty fields", []string{"", ""}, "", inbound.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.Header["Authorization"] = tt.lines
			got, err := read(r)
			if !errors.Is(err, tt.want) || got.Bearer != tt.token {
				t.Errorf("got %.40q, %v; want %.40q, %v", got.Bearer, err, tt.token, tt.want)
			}
		})
	}
}

func TestBearerOnTheWire(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  error
	}{
		{"two fields in two spellings", []string{"Authorization: Bearer x", "AUTHORIZATION: Bearer y"}, inbound.ErrMalformed},
		{"blanks around the value", []string{"Authorization:   Bearer x  "}, nil},
		{"folded line", []string{"Authorization: Bearer x", " y"}, inbound.ErrBadToken},
		{"in a cookie", []string{"Cookie: Authorization=Bearer x"}, inbound.ErrNoToken},
		{"for a proxy", []string{"Proxy-Authorization: Bearer x"}, inbound.ErrNoToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, append([]string{"GET /a?access_token=x HTTP/1.1", "Host: gateway.example"}, tt.lines...)...)
			if _, err := read(r); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestBearerErrorsSayWhy(t *testing.T) {
	for value, says := range map[string]string{
		"":                                     "empty",
		"Basic x":                              "not Bearer",
		"Bearer":                               "one space",
		"Bearer\tx":                            "one space",
		"Bearer  x":                            "one space",
		"Bearer x,y":                           "the token contains invalid characters",
		"Bearer x y":                           "the token contains invalid characters",
		"Bearer \"x\"":                         "the token contains invalid characters",
		"Bearer " + strings.Repeat("a", 16385): "the limit is 16384 bytes",
	} {
		r := ordinary()
		r.Header["Authorization"] = []string{value}
		if _, err := read(r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: error %v does not say %q", value, err, says)
		}
	}
}

func TestErrorsRepeatNoCredential(t *testing.T) {
	const canary = "c4nary"
	for _, value := range []string{"Basic " + canary, canary, "Bearer  " + canary, "Bearer " + canary + "," + canary, "Bearer\t" + canary} {
		r := ordinary()
		r.Header.Set("Authorization", value)
		got, err := read(r)
		if err == nil {
			t.Errorf("%q is accepted", value)
		} else if strings.Contains(err.Error(), canary) || got.Bearer != "" {
			t.Errorf("%q: error %q, Bearer %q", value, err, got.Bearer)
		}
	}
}

// FuzzBearer holds the reader against the grammar written as an expression.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer x", "bearer x==", "Bearer  x", "Bearer\tx", "Basic x", "", "Bearer", "Bearer x,y", "Bearer =", "Bearers x"} {
		f.Add(seed)
	}
	bearer := regexp.MustCompile(`^(?i:bearer)(?: ([A-Za-z0-9._~+/-]+=*))$`)
	scheme := regexp.MustCompile("^(?i:bearer)(?:$|[^0-9A-Za-z!#$%&'*+.^_`|~-])")
	f.Fuzz(func(t *testing.T, value string) {
		r := ordinary()
		r.Header["Authorization"] = []string{value}
		got, err := read(r)
		if errors.Is(err, inbound.ErrMalformed) || errors.Is(err, inbound.ErrHeadersTooLarge) {
			return
		}
		switch match := bearer.FindStringSubmatch(value); {
		case match != nil && len(match[1]) <= 16<<10:
			if err != nil || got.Bearer != match[1] {
				t.Errorf("%q: got %q, %v", value, got.Bearer, err)
			}
		case scheme.MatchString(value):
			if !errors.Is(err, inbound.ErrBadToken) {
				t.Errorf("%q: error %v, want ErrBadToken", value, err)
			}
		default:
			if !errors.Is(err, inbound.ErrNoToken) {
				t.Errorf("%q: error %v, want ErrNoToken", value, err)
			}
		}
	})
}

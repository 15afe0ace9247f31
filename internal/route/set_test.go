package route_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/route"
)

func TestAllows(t *testing.T) {
	tests := []struct {
		pattern string
		allows  []string
		refuses []string
	}{
		{
			"/api/v1/test",
			[]string{"GET /api/v1/test", "POST /api/v1/test", "anything /api/v1/test"},
			[]string{"GET /api/v1/test/", "GET /api/v1/tes", "GET /api/v1/test2", "GET /API/v1/test", "GET /api/v1/t%65st", "GET "},
		},
		{"/", []string{"GET /"}, []string{"GET /a", "GET //", "GET "}},
		{"/dir/", []string{"GET /dir/"}, []string{"GET /dir", "GET /dir/a", "GET /dir//"}},
		{
			"/users/*",
			[]string{"GET /users/7", "GET /users/a%20b", "GET /users/*", "GET /users/..."},
			[]string{"GET /users/", "GET /users", "GET /users/7/", "GET /users/7/posts", "GET /Users/7", "GET /users//"},
		},
		{
			"/users/*/posts",
			[]string{"GET /users/7/posts"},
			[]string{"GET /users//posts", "GET /users/posts", "GET /users/7/posts/", "GET /users/7/8/posts", "GET /users/7/postscript"},
		},
		{"/users/*/", []string{"GET /users/7/"}, []string{"GET /users/7", "GET /users//", "GET /users/7/8"}},
		{"/*", []string{"GET /a"}, []string{"GET /", "GET /a/", "GET /a/b"}},
		{"/*/*", []string{"GET /a/b"}, []string{"GET /a", "GET /a/", "GET //b", "GET /a/b/c"}},
		{
			"/files/**",
			[]string{"GET /files/", "GET /files/a", "GET /files/a/b", "GET /files/a/b/"},
			[]string{"GET /files", "GET /filesystem/a", "GET /file/", "GET /Files/a"},
		},
		{"/**", []string{"GET /", "GET /a", "GET /a/b/"}, []string{"GET ", "OPTIONS *", "GET a"}},
		{"/a/*/**", []string{"GET /a/b/", "GET /a/b/c/d"}, []string{"GET /a/b", "GET /a//c", "GET /a/"}},
		{"/*/b/*/d", []string{"GET /a/b/c/d"}, []string{"GET /a/b/c", "GET /a/x/c/d", "GET /a/b//d"}},
		{"GET /a", []string{"GET /a"}, []string{"POST /a", "HEAD /a", "get /a", " /a", "GET /b"}},
		{"GET /users/*", []string{"GET /users/7"}, []string{"HEAD /users/7", "GET /users/"}},
		{"DELETE /files/**", []string{"DELETE /files/a"}, []string{"GET /files/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			set := route.Compile([]string{tt.pattern})
			check := func(request string, want bool) {
				method, path, _ := strings.Cut(request, " ")
				if got := set.Allows(method, path); got != want {
					t.Errorf("Allows(%q, %q) = %t, want %t", method, path, got, want)
				}
			}
			for _, request := range tt.allows {
				check(request, true)
			}
			for _, request := range tt.refuses {
				check(request, false)
			}
		})
	}
}

// A pattern with a fault allows less than was meant, never more.
func TestFaultyPatternsFailClosed(t *testing.T) {
	tests := []struct{ pattern, path string }{
		{"/users*", "/users7"},
		{"/users/*7", "/users/77"},
		{"/files/**/secret", "/files/a/secret"},
		{"/files/***", "/files/a"},
		{"**", "/a"},
		{"*", "/a"},
		{"", "/"},
		{"users/*", "/users/7"},
		{"get /users/*", "/users/7"},
		{"GET  /users/*", "/users/7"},
		{" /users/*", "/users/7"},
		{"GET /users/* ", "/users/7"},
		{"/users/*?x=1", "/users/7"},
		{"GET /users/*#top", "/users/7"},
	}
	for _, tt := range tests {
		set := route.Compile([]string{tt.pattern})
		if set.Allows("GET", tt.path) {
			t.Errorf("faulty %q allows GET %s", tt.pattern, tt.path)
		}
		if !set.Allows("GET", tt.pattern) {
			t.Errorf("faulty %q does not allow the path that is equal to it", tt.pattern)
		}
	}
}

func TestAnyPatternOfASetAllows(t *testing.T) {
	set := route.Compile([]string{"POST /a", "GET /a", "oops*", "/b/*", "GET /c/**"})
	tests := []struct {
		method, path string
		want         bool
	}{
		{"GET", "/a", true},
		{"POST", "/a", true},
		{"PUT", "/a", false},
		{"PUT", "/b/1", true},
		{"GET", "/c/1/2", true},
		{"PUT", "/c/1/2", false},
		{"GET", "/d", false},
	}
	for _, tt := range tests {
		if got := set.Allows(tt.method, tt.path); got != tt.want {
			t.Errorf("Allows(%q, %q) = %t, want %t", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestEmptySetAllowsNothing(t *testing.T) {
	for name, set := range map[string]route.Set{"zero": {}, "nil": route.Compile(nil), "empty": route.Compile([]string{})} {
		for _, path := range []string{"", "/", "/a", "*"} {
			if set.Allows("GET", path) {
				t.Errorf("%s set allows GET %q", name, path)
			}
		}
	}
}

func TestPatternsAreTheSetsOwn(t *testing.T) {
	given := []string{"/b", "/a/*", "odd*", "/b"}
	want := slices.Clone(given)
	set := route.Compile(given)
	given[0] = "/changed"
	set.Patterns()[1] = "/changed"
	if got := set.Patterns(); !slices.Equal(got, want) {
		t.Errorf("Patterns() = %q, want %q", got, want)
	}
}

func TestAllowsDoesNotAllocate(t *testing.T) {
	set := route.Compile([]string{"/api/v1/test", "GET /users/*/posts", "/files/**"})
	allocs := testing.AllocsPerRun(100, func() {
		set.Allows("GET", "/api/v1/test")
		set.Allows("GET", "/users/7/posts")
		set.Allows("GET", "/files/a/b")
		set.Allows("GET", "/none")
	})
	if allocs != 0 {
		t.Errorf("Allows allocates %v times, want 0", allocs)
	}
}

// FuzzAllows holds Allows against a slow twin that splits both sides into segments.
func FuzzAllows(f *testing.F) {
	f.Add("/api/v1/test", "GET", "/api/v1/test")
	f.Add("/users/*/posts", "GET", "/users/7/posts")
	f.Add("GET /files/**", "GET", "/files/")
	f.Add("/files/**", "GET", "/files")
	f.Add("/a/*/**", "GET", "/a//c")
	f.Add("/a*", "GET", "/a*")
	f.Add("/*/", "GET", "//")
	f.Fuzz(func(t *testing.T, pattern, method, path string) {
		got := route.Compile([]string{pattern}).Allows(method, path)
		if want := slowAllows(pattern, method, path); got != want {
			t.Errorf("pattern %q: Allows(%q, %q) = %t, want %t", pattern, method, path, got, want)
		}
	})
}

func slowAllows(pattern, method, path string) bool {
	if route.Check(pattern) != nil {
		return path == pattern
	}
	if m, p, found := strings.Cut(pattern, " "); found {
		if m != method {
			return false
		}
		pattern = p
	}
	return matchSegments(strings.Split(pattern, "/"), strings.Split(path, "/"))
}

func matchSegments(pattern, path []string) bool {
	if len(pattern) == 0 || len(path) == 0 {
		return len(pattern) == len(path)
	}
	switch pattern[0] {
	case "**":
		return true
	case "*":
		return path[0] != "" && matchSegments(pattern[1:], path[1:])
	default:
		return path[0] == pattern[0] && matchSegments(pattern[1:], path[1:])
	}
}

func BenchmarkAllows(b *testing.B) {
	var patterns []string
	for i := range 20 {
		patterns = append(patterns, fmt.Sprintf("/api/v1/resource%d", i))
	}
	patterns = append(patterns, "/users/*/posts", "/files/**")
	set := route.Compile(patterns)
	for _, path := range []string{"/api/v1/resource19", "/users/7/posts", "/files/a/b/c"} {
		b.Run(strings.ReplaceAll(path[1:], "/", "-"), func(b *testing.B) {
			for b.Loop() {
				set.Allows("GET", path)
			}
		})
	}
}

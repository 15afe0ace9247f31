package route

import "testing"

func TestSampleIsAllowedByItsPattern(t *testing.T) {
	for _, tt := range []struct{ pattern, method, path string }{
		{"/api/v1/test", "", "/api/v1/test"},
		{"/users/*", "", "/users/example"},
		{"/users/*/posts", "", "/users/example/posts"},
		{"/files/**", "", "/files/example"},
		{"POST /a/*/**", "POST", "/a/example/example"},
		{"not a pattern", "", "not a pattern"},
	} {
		method, path := Sample(tt.pattern)
		if method != tt.method || path != tt.path {
			t.Errorf("Sample(%q) = %q, %q, want %q, %q", tt.pattern, method, path, tt.method, tt.path)
		}
		if !Compile([]string{tt.pattern}).Allows(method, path) {
			t.Errorf("%q does not allow its own sample %q %q", tt.pattern, method, path)
		}
	}
}

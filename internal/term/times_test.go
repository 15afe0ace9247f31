package term

import (
	"testing"
	"time"
)

func TestRelative(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "now"},
		{499 * time.Millisecond, "now"},
		{-400 * time.Millisecond, "now"},
		{time.Second, "in 1 s"},
		{-59 * time.Second, "59 s ago"},
		{119 * time.Second, "in 2 min"},
		{100 * time.Second, "in 100 s"},
		{-90 * time.Minute, "90 min ago"},
		{3 * time.Hour, "in 3 h"},
		{3*time.Hour - time.Second, "in 3 h"},
		{24 * time.Hour, "in 24 h"},
		{47 * time.Hour, "in 47 h"},
		{-48 * time.Hour, "2 d ago"},
		{7*day - time.Millisecond, "in 7 d"},
		{400 * day, "in 400 d"},
		{-1 << 63, "106752 d ago"},
	} {
		if got := Relative(tt.d); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestMomentIsLocal(t *testing.T) {
	now := time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC)
	want := now.Local().Add(3*time.Hour).Format("2006-01-02 15:04:05 -0700") + " (in 3 h)"
	if got := Moment(now.Add(3*time.Hour), now); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package ratelimit

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestLimitValidate(t *testing.T) {
	tests := []struct {
		name  string
		limit Limit
		fault string // in the error's text; empty for a valid limit
	}{
		{"ordinary", Limit{Permits: 10, Window: time.Minute}, ""},
		{"named algorithm", Limit{Algorithm: FixedWindow, Permits: 10, Window: time.Minute}, ""},
		{"nothing allowed", Limit{Window: time.Second}, ""},
		{"largest", Limit{Permits: MaxPermits, Window: math.MaxInt64 / time.Second * time.Second}, ""},
		{"zero value", Limit{}, "window 0s"},
		{"negative permits", Limit{Permits: -1, Window: time.Minute}, "-1 permits"},
		{"too many permits", Limit{Permits: MaxPermits + 1, Window: time.Minute}, "permits"},
		{"negative window", Limit{Permits: 1, Window: -time.Minute}, "window -1m0s"},
		{"window below a second", Limit{Permits: 1, Window: time.Second - 1}, "window 999.999999ms"},
		{"fraction of a second", Limit{Permits: 1, Window: 1500 * time.Millisecond}, "window 1.5s"},
		{"burst without use", Limit{Permits: 1, Window: time.Minute, Burst: 1}, "burst 1"},
		{"delay without use", Limit{Permits: 1, Window: time.Minute, MaxDelay: time.Second}, "max delay 1s"},
		{"unknown algorithm", Limit{Algorithm: "Fixed_Window", Permits: 1, Window: time.Minute}, `"Fixed_Window"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.limit.Validate()
			if tt.fault == "" {
				if err != nil {
					t.Fatalf("Validate() = %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, ErrLimit) {
				t.Fatalf("Validate() = %v, want an ErrLimit", err)
			}
			if !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("Validate() = %q, want it to name %q", err, tt.fault)
			}
		})
	}
}

func TestDecisionAllowed(t *testing.T) {
	for granted, want := range map[int64]bool{0: false, 1: true, 7: true} {
		if got := (Decision{Granted: granted}).Allowed(); got != want {
			t.Errorf("Decision{Granted: %d}.Allowed() = %v, want %v", granted, got, want)
		}
	}
}

package duration_test

import (
	"math"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
)

const day = duration.Day

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "1d12h": 36 * time.Hour, "1d36h": 60 * time.Hour, "0d": 0, "007d": 7 * day, "10000d": 10000 * day,
		"106751d": 106751 * day, "106751d23h47m16.854775807s": math.MaxInt64, "1d0s": day,
		"36h": 36 * time.Hour, "90s": 90 * time.Second, "250ms": 250 * time.Millisecond, "1.5h": 90 * time.Minute,
		"-1h": -time.Hour, "+1h": time.Hour, "0": 0, "5µs": 5 * time.Microsecond,
	} {
		if got, err := duration.Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"soon": `must be a duration such as 7d, 36h or 1d12h, not "soon"`,
		"7":    `must be a duration such as 7d, 36h or 1d12h, not "7", which has no unit`,
		"1.5":  `must be a duration such as 7d, 36h or 1d12h, not "1.5", which has no unit`,
		"":     `must be a duration such as 7d, 36h or 1d12h, not ""`,
	} {
		if _, err := duration.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		"d", "-7d", "+7d", "7d-1h", "7d+1h", "1.5d", "7dd", "7d7d", "7D", "7 d", "7d 1h", " 7d", "12h1d", "7d3", "7 days",
		"106752d", "106751d24h", "99999999999999999999d", "1d9999999h",
	} {
		if d, err := duration.Parse(text); err == nil {
			t.Errorf("%q is read as %v", text, d)
		}
	}
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Nanosecond: "1ns", 250 * time.Millisecond: "250ms", 1500 * time.Millisecond: "1.5s",
		60 * time.Second: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", time.Hour + time.Second: "1h0m1s", 90 * time.Minute: "1h30m",
		10 * time.Second: "10s", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
		24 * time.Hour: "24h", 36 * time.Hour: "36h", 48 * time.Hour: "2d", 49 * time.Hour: "2d1h", 720 * time.Hour: "30d",
		30*day + time.Second: "30d1s", 30*day + 90*time.Minute: "30d1h30m",
		-time.Hour: "-1h", -48 * time.Hour: "-48h",
	} {
		if got := duration.Format(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestFlag(t *testing.T) {
	d := 720 * time.Hour
	flag := (*duration.Flag)(&d)
	if flag.String() != "30d" || flag.Type() != "duration" {
		t.Errorf("%s, %s", flag.String(), flag.Type())
	}
	if err := flag.Set("1d12h"); err != nil || d != 36*time.Hour {
		t.Errorf("%v, %v", d, err)
	}
	if err := flag.Set("soon"); err == nil || d != 36*time.Hour {
		t.Errorf("%v, %v: an error changes nothing", d, err)
	}
	if d = 0; flag.String() != "0" {
		t.Errorf("%s: help would show it as a default", flag.String())
	}
}

// FuzzParse holds Format to be Parse's inverse.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"7d", "1d12h", "-106751d", "106751d23h47m16.854775807s", "-2562047h47m16.854775808s", "0", "1.5h", "9d1ns"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := duration.Parse(text)
		if err != nil {
			return
		}
		if again, err := duration.Parse(duration.Format(d)); err != nil || again != d {
			t.Errorf("%q is %d ns, written as %s, read as %d: %v", text, d, duration.Format(d), again, err)
		}
	})
}

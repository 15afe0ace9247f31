package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Clients that pipeline, pause anywhere, send bodies and leave in the middle, and
// handlers of every habit: each request is executed once at most, and its answer
// is its own.
func TestNothingIsMixedUp(t *testing.T) {
	var mu sync.Mutex
	executed := map[string]int{}
	s, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Id")
		mu.Lock()
		executed[id]++
		mu.Unlock()
		habit, _ := strconv.Atoi(r.Header.Get("X-Habit"))
		ctx := r.Context()
		if habit&1 != 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(20+habit%50)*time.Millisecond)
			defer cancel()
		}
		var b []byte
		read := make(chan bool)
		go func() { // as an upload does
			defer close(read)
			b, _ = io.ReadAll(r.Body)
		}()
		<-read
		if habit&2 != 0 {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(70)) * time.Millisecond):
			}
		}
		said := fmt.Sprintf("%s %s %d %d %08x", id, r.URL.Path, len(r.Header), len(b), crc32.ChecksumIEEE(b))
		w.Header().Set("X-Id", id)
		if habit&4 != 0 {
			w.Header().Set("Content-Length", fmt.Sprint(len(said)))
		}
		for piece := range strings.SplitAfterSeq(said, " ") {
			_, _ = io.WriteString(w, piece)
			if habit&8 != 0 {
				_ = http.NewResponseController(w).Flush()
			}
		}
	}, nil)
	const clients, rounds = 20, 4
	var wg sync.WaitGroup
	for k := range clients {
		rng := rand.New(rand.NewPCG(uint64(k), uint64(time.Now().UnixNano())))
		wg.Go(func() {
			for n := range rounds {
				converse(t, addr, rng, fmt.Sprintf("%d-%d", k, n))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(s.Shutdown(t.Context()), s.rest.Shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	mu.Lock() // whose client has left may still be at it
	defer mu.Unlock()
	for id, n := range executed {
		if n != 1 {
			t.Errorf("%s was executed %d times", id, n)
		}
	}
}

// converse sends some requests in random pieces, maybe not all of them, and checks
// the answers.
func converse(t *testing.T, addr string, rng *rand.Rand, prefix string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	_ = nc.(*net.TCPConn).SetNoDelay(true)
	_ = nc.SetDeadline(time.Now().Add(late))
	raw, want := conversation(rng, prefix)
	leave := len(raw)
	cut := rng.IntN(4) == 0
	if cut {
		leave = rng.IntN(len(raw))
	}
	go func() {
		for rest := raw[:leave]; rest != ""; {
			n := 1 + rand.IntN(len(rest))
			if rand.IntN(2) == 0 {
				n = min(n, 1+rand.IntN(60))
			}
			if _, err := io.WriteString(nc, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
			if rand.IntN(4) == 0 {
				time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
			}
		}
		if cut {
			nc.Close()
		}
	}()
	in := bufio.NewReader(nc)
	for _, w := range want {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			if !cut {
				t.Errorf("%s: %v", w, err)
			}
			return
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			if !cut {
				t.Errorf("%s: %v", w, err)
			}
			return
		}
		if res.StatusCode == 400 && cut {
			return
		}
		if cut && strings.HasPrefix(string(b), strings.Fields(w)[0]+" ") {
			continue // its body was perhaps cut
		}
		if string(b) != w {
			t.Errorf("got %q, want %q", b, w)
			return
		}
	}
}

// conversation makes requests to send one after the other, and what each is to be
// answered with.
func conversation(rng *rand.Rand, prefix string) (raw string, want []string) {
	var all strings.Builder
	for i := range 1 + rng.IntN(12) {
		id := fmt.Sprintf("%s-%d", prefix, i)
		size := 0
		switch rng.IntN(6) {
		case 0:
			size = rng.IntN(20)
		case 1:
			size = rng.IntN(10000)
		case 2:
			size = rng.IntN(100_000)
		}
		body := strings.Repeat(get, size/len(get)+1)[:size]
		fields := 2
		fmt.Fprintf(&all, "POST /%s HTTP/1.1\r\nHost: x\r\nX-Id: %s\r\nX-Habit: %d\r\n", id, id, rng.IntN(16))
		if rng.IntN(5) == 0 {
			fields++
			fmt.Fprintf(&all, "X-Pad: %s\r\n", strings.Repeat("p", rng.IntN(12000)))
		}
		last := rng.IntN(40) == 0
		if last { // since it is not plain
			all.WriteString("Transfer-Encoding: chunked\r\n\r\n")
			if size > 0 {
				fmt.Fprintf(&all, "%x\r\n%s\r\n", size, body)
			}
			all.WriteString("0\r\n\r\n")
		} else {
			if size > 0 || rng.IntN(2) == 0 {
				fields++
				fmt.Fprintf(&all, "Content-Length: %d\r\n", size)
			}
			fmt.Fprintf(&all, "\r\n%s", body)
		}
		want = append(want, fmt.Sprintf("%s /%s %d %d %08x", id, id, fields, size, crc32.ChecksumIEEE([]byte(body))))
		if last {
			break
		}
	}
	return all.String(), want
}

package config

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tykctl/tykctl/internal/cors"
)

// origin accepts what browsers send as the origin of a page.
func origin() kind[string] {
	accepts := "an origin such as https://app.example.com, or *"
	return kind[string]{"origin", accepts, asString, func(s string) (string, error) {
		if err := cors.CheckOrigin(s); err != nil {
			return "", fmt.Errorf("%w: %w", not(s), err)
		}
		return s, nil
	}}
}

// fieldName accepts the name of a header field, or * for all.
func fieldName() kind[string] {
	return kind[string]{"name", "the name of a header field, or *", asString, token}
}

func method() kind[string] {
	return kind[string]{"name", "a method in upper case such as " + http.MethodGet + ", or *", asString, func(s string) (string, error) {
		for _, c := range s {
			if 'a' <= c && c <= 'z' {
				return "", not(s) // browsers compare the names of methods as they are written
			}
		}
		return token(s)
	}}
}

func token(s string) (string, error) {
	if !httpguts.ValidHeaderFieldName(s) {
		return "", not(s)
	}
	return s, nil
}

// subprotocol accepts the name of a WebSocket subprotocol (RFC 6455, section 4.1), or nothing.
func subprotocol() kind[string] {
	return kind[string]{"name", "the name of a WebSocket subprotocol, such as bearer", asString, func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return token(s)
	}}
}

// maxAge is bounded by what browsers heed: a day.
func maxAge() kind[time.Duration] {
	return span(`a duration in whole seconds from "0s" to "24h"`, 0, 24*time.Hour, time.Second)
}

// checkCORS adds what only the options together show.
func (c *Config) checkCORS(faults *Faults) {
	if faults.at("application.cors") {
		return
	}
	if err := cors.Options(c.Application.CORS).Check(); err != nil {
		member, text, _ := strings.Cut(err.Error(), ": ")
		key := "application.cors." + member
		faults.add(c.Origin(key), key, text)
	}
}

package jwtauth

import (
	"encoding/json"
	"time"
)

// Peek returns what token says about itself, without asking whether it is
// true: the signature is not checked, so anyone can have written every byte.
// It is for showing a token to its operator. Decide nothing from it; use
// [Verifier.Verify]. The result may hold characters that a terminal obeys.
//
// The token must have at most 8 KiB and three parts in canonical base64url, of
// which the first two are JSON of any kind; else the error wraps [ErrInvalid].
func Peek(token string) (header, claims json.RawMessage, err error) {
	p, err := split(token)
	if err != nil {
		return nil, nil, err
	}
	if header, err = peekJSON("header", p.header); err != nil {
		return nil, nil, err
	}
	if claims, err = peekJSON("payload", p.payload); err != nil {
		return nil, nil, err
	}
	if _, ok := decode(nil, p.signature); !ok {
		return nil, nil, invalid("signature is not canonical base64url")
	}
	return header, claims, nil
}

func peekJSON(name, part string) (json.RawMessage, error) {
	text, ok := decode(nil, part)
	if !ok {
		return nil, invalid("%s is not canonical base64url", name)
	}
	if !json.Valid(text) {
		return nil, invalid("%s is not JSON", name)
	}
	return text, nil
}

// CheckClaims holds the claims of a token to the rules of [Verifier.Verify] at
// the time now, and checks neither its header nor its signature: anyone can have
// written claims that pass. It is for telling an operator who has no key what is
// wrong with a token. The error wraps [ErrInvalid] or [ErrExpired]; an [ErrClaims]
// says nothing of the signature here.
func CheckClaims(token string, now time.Time) error {
	p, err := split(token)
	if err != nil {
		return err
	}
	c, err := p.claims()
	if err == nil {
		_, err = c.at(now.Unix())
	}
	return err
}

package jwtauth

import (
	"encoding/json"
	"time"
)

// Peek returns the header and the claims of a token without checking its signature: anyone
// can have written them. Use it to show a token to an operator. To decide anything, use
// [Verifier.Verify]. The result may contain terminal control characters.
//
// The token must have at most 16 KiB and three parts in canonical base64url; the first two
// must be JSON of any kind. Else the error wraps [ErrInvalid].
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

// CheckClaims checks the claims of a token by the rules of [Verifier.Verify] at the time
// now. It checks neither header nor signature: anyone can have written claims that pass.
// Use it to tell an operator without a key what is wrong with a token. The error wraps
// [ErrInvalid] or [ErrExpired]; here an [ErrClaims] says nothing about the signature.
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

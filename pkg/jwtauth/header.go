package jwtauth

import (
	"bytes"
	"unicode/utf8"
)

const maxKeyIDSize = 64 // characters

// The members of a header are understood, refused or ignored.
//
// The verifier refuses, in any letter case, members that demand processing which it does
// not do (crit, RFC 7515, section 4.1.11; b64, RFC 7797; zip and enc, RFC 7516), and
// members that bring or point to a key (jku, jwk, x5u, x5c; RFC 7515, sections 4.1.2 to
// 4.1.6): the key is always one of the verifier's own.
//
// It ignores all others (RFC 7515, section 4). Issuers send x5t, x5t#S256, cty and nonce.
// A thumbprint only repeats which key it was, and kid alone selects the key here. Whatever
// cty says, the payload must be a JSON object.
var (
	understood  = []string{"alg", "typ", "kid"}
	unsupported = []string{"crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"}
)

// keyOf reads a header that is not in canonical form and returns the key that it names.
// It runs before the signature is verified, so the object reader limits its cost.
func (v *Verifier) keyOf(part string) (*Key, error) {
	header, ok := decode(make([]byte, 0, 128), part)
	if !ok {
		return nil, notCanonical("header")
	}
	r := objectReader{buf: header}
	var algorithm, id []byte
	hasAlgorithm, hasID := false, false
	for r.next() {
		var err error
		switch string(r.name()) {
		case "alg":
			hasAlgorithm = true
			if r.kind() == '"' { // else it is not the name of an algorithm
				algorithm = r.value()
			}
		case "typ":
			err = checkType(&r)
		case "kid":
			hasID, id = true, r.value()
			err = checkKeyID(&r)
		default:
			err = checkOther(r.name())
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.err(); err != nil {
		return nil, invalid("header: %v", r.named(err, understood, unsupported))
	}
	if !hasAlgorithm {
		return nil, invalid(`header "alg" is missing`)
	}
	key := v.byID[string(id)]
	switch {
	case hasID && (key == nil || len(id) == 0):
		return nil, invalid(`header "kid" names an unknown key`)
	case key == nil:
		return nil, invalid(`header "kid" is missing`)
	case string(algorithm) != key.Algorithm():
		return nil, invalid(`header "alg" is not %q`, key.Algorithm())
	}
	return key, nil
}

// types are the media types of plain tokens (RFC 7519, section 5.1) and access tokens (RFC
// 9068, section 2.1). They are compared case-insensitively.
var types = [...]string{"JWT", "at+jwt", "application/jwt", "application/at+jwt"}

func checkType(r *objectReader) error {
	if r.kind() == '"' {
		for _, known := range types {
			if bytes.EqualFold(r.value(), []byte(known)) {
				return nil
			}
		}
	}
	return invalid(`header "typ" is neither "JWT" nor "at+jwt"`)
}

func checkKeyID(r *objectReader) error {
	switch {
	case r.kind() != '"':
		return invalid(`header "kid" is not a string`)
	case utf8.RuneCount(r.value()) > maxKeyIDSize:
		return invalid(`header "kid" is longer than %d characters`, maxKeyIDSize)
	}
	return nil
}

func checkOther(name []byte) error {
	if known, ok := caseVariant(name, unsupported); ok {
		return invalid("header %q is not supported", known)
	}
	if known, ok := caseVariant(name, understood); ok {
		return invalid("a header member differs from %q only in case", known)
	}
	return nil
}

package inbound

import (
	"fmt"
	"net/http"
	"strings"
)

const subprotocols = "Sec-Websocket-Protocol"

// bearerFromSubprotocol takes the credential from the subprotocols of a WebSocket
// handshake (RFC 6455, section 4.1), because a script in a browser can set no other
// field. The credential follows the configured word. Both are removed from the header,
// so that the backend sees only the client's real subprotocols.
//
// err is the result of reading the Authorization field; it is returned if the word is
// missing. A credential in both places is refused, because they might differ.
func (rd *Reader) bearerFromSubprotocol(header http.Header, req *Request, err error) error {
	var token string
	var rest []string
	found, awaited := false, false
	for _, line := range header[subprotocols] {
		for element := range strings.SplitSeq(line, ",") {
			switch element = strings.Trim(element, " \t"); {
			case element == "":
			case awaited:
				token, awaited = element, false
			case element != rd.subprotocol:
				rest = append(rest, element)
			case found:
				return fmt.Errorf("%w: the subprotocol %s is offered more than once", ErrMalformed, rd.subprotocol)
			default:
				found, awaited = true, true
			}
		}
	}
	switch {
	case !found:
		return err
	case len(header["Authorization"]) > 0:
		return fmt.Errorf("%w: both the Authorization header and the subprotocols hold a token; send only one", ErrMalformed)
	case awaited:
		return fmt.Errorf("%w: no token follows the subprotocol %s", ErrBadToken, rd.subprotocol)
	}
	delete(header, subprotocols)
	if rest != nil {
		header[subprotocols] = []string{strings.Join(rest, ", ")}
	}
	req.Subprotocol = rd.subprotocol
	req.Bearer, err = readBearer([]string{"Bearer " + token})
	return err
}

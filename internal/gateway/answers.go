package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/tykctl/tykctl/internal/http1"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/upstream"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// Reason says why a request got its response. The list is closed; the response,
// the access log and the metric use the same word.
type Reason string

// The reasons.
const (
	ReasonOK                  Reason = "ok"
	ReasonBadRequest          Reason = "bad_request"
	ReasonMissingToken        Reason = "missing_token"
	ReasonInvalidToken        Reason = "invalid_token"
	ReasonExpiredToken        Reason = "expired_token"
	ReasonUnknownToken        Reason = "unknown_token"
	ReasonRouteForbidden      Reason = "route_forbidden"
	ReasonTooLarge            Reason = "too_large"
	ReasonRateLimited         Reason = "rate_limited"
	ReasonStoreUnavailable    Reason = "store_unavailable"
	ReasonOverloaded          Reason = "overloaded"
	ReasonUpstreamUnreachable Reason = "upstream_unreachable"
	ReasonUpstreamTimeout     Reason = "upstream_timeout"
	ReasonUpstreamInvalid     Reason = "upstream_invalid"
	ReasonClientGone          Reason = "client_gone"
	ReasonUpstreamError       Reason = "upstream_error" // the backend's own 5xx; never in a response of ours
	ReasonInternal            Reason = "internal_error" // a bug in this program
)

// Stage is a step on a request's way to the backend.
type Stage string

// The stages, in order.
const (
	StageRequest   Stage = "request"   // the target, the method, the header
	StageBearer    Stage = "bearer"    // there is one token
	StageSignature Stage = "signature" // it is a JWT signed with one of our keys
	StageClaims    Stage = "claims"    // its claims are complete and it is within its lifetime
	StageRecord    Stage = "record"    // its key has an active record
	StageRoute     Stage = "route"     // the record allows this method and path
	StageLimit     Stage = "limit"     // the key's limit has a permit left
	StageForward   Stage = "forward"   // the request goes to the backend
)

// statusClientGone is nginx's status for a client that disconnected. It is logged
// and counted but never sent, since nobody is left to read it.
const statusClientGone = 499

var (
	errRoute      = errors.New("the key may not use this route")
	errOverloaded = errors.New("the gateway is already serving server.max_in_flight requests")
	errLimited    = errors.New("the key has used up its limit")
	errDraining   = errors.New("the gateway shut down while the key's limit was delaying the request")
)

// answer describes the response to an error. Its words are for the client; the log
// has the exact cause.
type answer struct {
	status int
	reason Reason
	detail string // "" means that the client may read the error's own text
	header [2]string
}

const (
	realm       = `Bearer realm="tykctl"`
	badToken    = realm + `, error="invalid_token"`
	noScope     = realm + `, error="insufficient_scope"`
	tokenDetail = "The bearer token is not valid."
)

// answers is the one table from error to response, with the stage that refuses.
// The first row whose error is in the chain wins.
var answers = []struct {
	is error
	Stage
	answer
}{
	{inbound.ErrTargetTooLong, StageRequest, answer{http.StatusRequestURITooLong, ReasonTooLarge, "", none}},
	{inbound.ErrHeadersTooLarge, StageRequest, answer{http.StatusRequestHeaderFieldsTooLarge, ReasonTooLarge, "", none}},
	{inbound.ErrBodyTooLarge, StageRequest, answer{http.StatusRequestEntityTooLarge, ReasonTooLarge, "", none}},
	{http1.ErrTargetTooLong, StageRequest, answer{http.StatusRequestURITooLong, ReasonTooLarge, "", none}},
	{http1.ErrHeaderTooLarge, StageRequest, answer{http.StatusRequestHeaderFieldsTooLarge, ReasonTooLarge, "", none}},
	{http1.ErrMalformed, StageRequest, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{inbound.ErrHeader, StageRequest, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{inbound.ErrLength, StageRequest, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{inbound.ErrMethod, StageRequest, answer{http.StatusMethodNotAllowed, ReasonBadRequest, "", allow}},
	{inbound.ErrUntrusted, StageRequest, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{inbound.ErrMalformed, StageRequest, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},

	{inbound.ErrNoToken, StageBearer, answer{http.StatusUnauthorized, ReasonMissingToken, "", challenge(realm)}},
	{inbound.ErrTokenTooLarge, StageBearer, answer{http.StatusRequestHeaderFieldsTooLarge, ReasonTooLarge, "", none}},
	{inbound.ErrBadToken, StageBearer, answer{http.StatusUnauthorized, ReasonInvalidToken, tokenDetail, challenge(badToken)}},
	{jwtauth.ErrExpired, StageClaims, answer{http.StatusUnauthorized, ReasonExpiredToken, "The bearer token has expired.", challenge(badToken)}},
	{jwtauth.ErrClaims, StageClaims, answer{http.StatusUnauthorized, ReasonInvalidToken, tokenDetail, challenge(badToken)}},
	{jwtauth.ErrInvalid, StageSignature, answer{http.StatusUnauthorized, ReasonInvalidToken, tokenDetail, challenge(badToken)}},

	{storage.ErrUnknown, StageRecord, answer{http.StatusUnauthorized, ReasonUnknownToken, tokenDetail, challenge(badToken)}},
	{storage.ErrExpired, StageRecord, answer{http.StatusUnauthorized, ReasonExpiredToken, "The bearer token has expired.", challenge(badToken)}},
	{storage.ErrRecord, StageRecord, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The key's record cannot be read.", retryAfter}},
	{storage.ErrCounter, StageLimit, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The key's counter cannot be read.", retryAfter}},
	{storage.ErrRefused, StageRecord, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The limit store returned an error.", retryAfter}},
	{storage.ErrUnavailable, StageRecord, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The limit store did not respond in time.", retryAfter}},

	{errOverloaded, StageRequest, answer{http.StatusServiceUnavailable, ReasonOverloaded, "The gateway is at capacity.", retryAfter}},
	{errDraining, StageLimit, answer{http.StatusServiceUnavailable, ReasonOverloaded, "The gateway is shutting down.", none}}, // hold sets Retry-After
	{errRoute, StageRoute, answer{http.StatusForbidden, ReasonRouteForbidden, "This key may not use this method and path.", challenge(noScope)}},
	{errLimited, StageLimit, answer{http.StatusTooManyRequests, ReasonRateLimited, "The key has used up its limit.", none}},

	{upstream.ErrGone, StageForward, answer{statusClientGone, ReasonClientGone, "The client disconnected.", none}},
	{context.Canceled, StageForward, answer{statusClientGone, ReasonClientGone, "The client disconnected.", none}},
	{upstream.ErrBodyTooLarge, StageForward, answer{http.StatusRequestEntityTooLarge, ReasonTooLarge, "", none}},
	{upstream.ErrBodyTimeout, StageForward, answer{http.StatusRequestTimeout, ReasonBadRequest, "", none}},
	{upstream.ErrTrailer, StageForward, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{upstream.ErrBody, StageForward, answer{http.StatusBadRequest, ReasonBadRequest, "The request body could not be read.", none}},
	{upstream.ErrUnreachable, StageForward, answer{http.StatusBadGateway, ReasonUpstreamUnreachable, "The backend cannot be reached.", none}},
	{upstream.ErrTimeout, StageForward, answer{http.StatusGatewayTimeout, ReasonUpstreamTimeout, "The backend did not respond in time.", none}},
	{upstream.ErrClosed, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend closed the connection without a response.", none}},
	{upstream.ErrInvalid, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend sent no valid response.", none}},
	{upstream.ErrCut, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend's response was cut off.", none}},
}

var (
	none       [2]string
	retryAfter = [2]string{"Retry-After", "1"}
	allow      = [2]string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
)

func challenge(value string) [2]string { return [2]string{"WWW-Authenticate", value} }

// answerTo finds an error's row. An error without a row is a bug in this program.
func answerTo(err error) (answer, Stage) {
	for _, row := range answers {
		if errors.Is(err, row.is) {
			if row.detail == "" {
				row.detail = err.Error()
			}
			return row.answer, row.Stage
		}
	}
	return answer{http.StatusInternalServerError, ReasonInternal, "The gateway failed.", none}, StageForward
}

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

// Reason is why a request was answered as it was. The list is closed: the same
// word stands in the answer, the access log and the metric.
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
	ReasonUpstreamError       Reason = "upstream_error" // a 5xx of the backend's own; never in an answer of ours
	ReasonInternal            Reason = "internal_error" // a fault of this program
)

// Stage is a step of a request's way, in whose order it is taken.
type Stage string

// The stages, in their order.
const (
	StageRequest   Stage = "request"   // the target, the method, the header
	StageBearer    Stage = "bearer"    // there is one token
	StageSignature Stage = "signature" // it is a JWT of ours
	StageClaims    Stage = "claims"    // that says what it must, and is in its time
	StageRecord    Stage = "record"    // there is a live record of its key
	StageRoute     Stage = "route"     // which allows this method and path
	StageLimit     Stage = "limit"     // and has a permit left
	StageForward   Stage = "forward"   // to the backend
)

// statusClientGone is nginx's number for a client that left; it is logged and
// counted but never sent, since nobody is there to read it.
const statusClientGone = 499

var (
	errRoute      = errors.New("the key may not use this route")
	errOverloaded = errors.New("server.max_in_flight requests are being served already")
	errLimited    = errors.New("the key's limit is spent")
	errDraining   = errors.New("the gateway is shutting down, and the request was being held back by its key's limit")
)

// answer is what a client is told. The words are for the client; what exactly
// went wrong inside stands in the log.
type answer struct {
	status int
	reason Reason
	detail string // "" means that the error's own text is fit for the client
	header [2]string
}

const (
	realm       = `Bearer realm="tykctl"`
	badToken    = realm + `, error="invalid_token"`
	noScope     = realm + `, error="insufficient_scope"`
	tokenDetail = "The bearer token is not valid here."
)

// answers is the one table from error to answer, each with the stage that
// refuses. The first row whose error is in the chain counts.
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
	{storage.ErrCounter, StageLimit, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "What counts for the key cannot be read.", retryAfter}},
	{storage.ErrRefused, StageRecord, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The limit's store answered with an error.", retryAfter}},
	{storage.ErrUnavailable, StageRecord, answer{http.StatusServiceUnavailable, ReasonStoreUnavailable, "The limit's store did not answer in time.", retryAfter}},

	{errOverloaded, StageRequest, answer{http.StatusServiceUnavailable, ReasonOverloaded, "The gateway is at capacity.", retryAfter}},
	{errDraining, StageLimit, answer{http.StatusServiceUnavailable, ReasonOverloaded, "The gateway is shutting down.", none}}, // hold sets Retry-After
	{errRoute, StageRoute, answer{http.StatusForbidden, ReasonRouteForbidden, "This key may not use this method and path.", challenge(noScope)}},
	{errLimited, StageLimit, answer{http.StatusTooManyRequests, ReasonRateLimited, "The key's limit is spent for now.", none}},

	{upstream.ErrGone, StageForward, answer{statusClientGone, ReasonClientGone, "The client went away.", none}},
	{context.Canceled, StageForward, answer{statusClientGone, ReasonClientGone, "The client went away.", none}},
	{upstream.ErrBodyTooLarge, StageForward, answer{http.StatusRequestEntityTooLarge, ReasonTooLarge, "", none}},
	{upstream.ErrBodyTimeout, StageForward, answer{http.StatusRequestTimeout, ReasonBadRequest, "", none}},
	{upstream.ErrTrailer, StageForward, answer{http.StatusBadRequest, ReasonBadRequest, "", none}},
	{upstream.ErrBody, StageForward, answer{http.StatusBadRequest, ReasonBadRequest, "The request's body could not be read.", none}},
	{upstream.ErrUnreachable, StageForward, answer{http.StatusBadGateway, ReasonUpstreamUnreachable, "The backend cannot be reached.", none}},
	{upstream.ErrTimeout, StageForward, answer{http.StatusGatewayTimeout, ReasonUpstreamTimeout, "The backend took too long.", none}},
	{upstream.ErrClosed, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend closed the connection without a response.", none}},
	{upstream.ErrInvalid, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend sent no valid answer.", none}},
	{upstream.ErrCut, StageForward, answer{http.StatusBadGateway, ReasonUpstreamInvalid, "The backend's answer was cut off.", none}},
}

var (
	none       [2]string
	retryAfter = [2]string{"Retry-After", "1"}
	allow      = [2]string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
)

func challenge(value string) [2]string { return [2]string{"WWW-Authenticate", value} }

// answerTo finds an error's row. An error without one is a fault of this program.
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

package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// IsFault reports whether err comes of TLS and not of the connection beneath it.
func IsFault(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	return record || alertOf(err) != "" || verification
}

// alertOf is the alert (RFC 8446, 6.2) by which the peer ended the connection, as
// crypto/tls words it, "" if it did not. Its type is not exported.
func alertOf(err error) string {
	if op, is := errors.AsType[*net.OpError](err); is && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// Advice says what is wrong with the server's certificate, or with what it was
// shown, and which option helps. option begins the options' names, as in
// "redis.tls_". It is "" for an error that does not come of TLS.
func Advice(err error, option string) string {
	if authority, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		issuer := ""
		if authority.Cert != nil {
			issuer = fmt.Sprintf(" %q", authority.Cert.Issuer.String())
		}
		return fmt.Sprintf("its certificate's issuer%s is not trusted: set %sca to a file with the issuer's certificate", issuer, option)
	}
	if name, is := errors.AsType[x509.HostnameError](err); is {
		return fmt.Sprintf("its certificate is not for %q: connect by a name in the certificate, or set %sserver_name to one", name.Host, option)
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is && invalid.Cert != nil {
		switch invalid.Reason {
		case x509.Expired:
			if begin := invalid.Cert.NotBefore; time.Now().Before(begin) {
				return "its certificate is not valid before " + begin.UTC().Format(time.RFC3339) + ": check the clocks"
			}
			return "its certificate expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339) + ": renew it on the server"
		case x509.IncompatibleUsage:
			return "its certificate is not a server certificate: it needs the extended key usage serverAuth"
		}
	}
	switch alert := alertOf(err); {
	case alert == "":
	case strings.Contains(alert, "certificate required"):
		return fmt.Sprintf("it asks for a client certificate: set %scert and %skey", option, option)
	case strings.Contains(alert, "certificate"), strings.Contains(alert, "handshake failure"):
		return fmt.Sprintf("it rejected the client certificate, or requires one: check %scert and %skey", option, option)
	default:
		return "it ended the handshake: see its log"
	}
	if _, is := errors.AsType[tls.RecordHeaderError](err); is {
		return "it does not speak TLS at this address: use its TLS port, or turn TLS off"
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return fmt.Sprintf("its certificate is not valid: check %sca and %sserver_name", option, option)
	}
	return ""
}

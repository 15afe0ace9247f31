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

// IsFault reports whether err is an error of TLS and not of the underlying connection.
func IsFault(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	return record || alertOf(err) != "" || verification
}

// alertOf returns the alert (RFC 8446, 6.2) with which the peer ended the connection, in
// the words of crypto/tls, which does not export its type; "" if there was none.
func alertOf(err error) string {
	if op, is := errors.AsType[*net.OpError](err); is && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// Advice says what is wrong with the server's certificate or the client's, and which
// option helps. option is the prefix of the options' names, such as "redis.tls_". Advice
// returns "" for an error that is not of TLS.
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

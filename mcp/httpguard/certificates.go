package httpguard

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// Certificates lets in who has a client certificate that the TLS layer has verified
// (tls.Config with ClientCAs, and ClientAuth tls.VerifyClientCertIfGiven or stricter). The
// principal is the first name that the certificate has, of these kinds in this order:
// mtls:uri:URI, mtls:dns:NAME and mtls:email:ADDRESS of its alternative names, and
// mtls:cn:NAME, the common name of its subject.
type Certificates struct{}

var _ Authenticator = Certificates{}

// ReadClientCAs reads the certificates (PEM) of those who sign clients'.
func ReadClientCAs(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificates that sign clients': %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(path + " has no certificate in PEM")
	}
	return pool, nil
}

// Wrap is Authenticator's. Streams end when the certificate does.
func (Certificates) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "a client certificate is required", http.StatusUnauthorized)
			return
		}
		certificate := r.TLS.VerifiedChains[0][0]
		name := certificateName(certificate)
		if name == "" {
			http.Error(w, "the client certificate names nobody: it has neither alternative names nor a common name", http.StatusForbidden)
			return
		}
		ctx := WithExpiry(WithPrincipal(r.Context(), name), certificate.NotAfter)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// certificateName is whom a certificate is of.
func certificateName(c *x509.Certificate) string {
	switch {
	case len(c.URIs) > 0:
		return "mtls:uri:" + c.URIs[0].String()
	case len(c.DNSNames) > 0:
		return "mtls:dns:" + c.DNSNames[0]
	case len(c.EmailAddresses) > 0:
		return "mtls:email:" + c.EmailAddresses[0]
	case c.Subject.CommonName != "":
		return "mtls:cn:" + c.Subject.CommonName
	}
	return ""
}

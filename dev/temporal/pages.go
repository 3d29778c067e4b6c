package temporal

import (
	"net/http"
	"strings"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

// ownPages refuses a request that a web page of somebody else may have sent: one for a Host that is no name of this machine's
// loopback, as after DNS rebinding, and one with an Origin that is not the UI's own. There are no keys that could tell them apart.
func ownPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origins := r.Header.Values("Origin")
		switch {
		case !loopback.Names(r.Host):
			http.Error(w, "The Temporal UI of make dev answers only to localhost, 127.0.0.1 or [::1]; the request's Host is another.", http.StatusForbidden)
		case len(origins) > 1 || len(origins) == 1 && !strings.EqualFold(origins[0], "http://"+r.Host):
			http.Error(w, "The request comes from a page of another origin.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

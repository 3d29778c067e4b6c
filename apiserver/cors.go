package apiserver

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// allowOrigin adds the CORS headers for a page of a configured origin, and answers its preflight; done says that it did. Without
// configured origins there are none of these headers at all.
func (s *Server) allowOrigin(c *gin.Context) (done bool) {
	if len(s.cfg.CORSOrigins) == 0 {
		return false
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	origin := c.GetHeader("Origin")
	if !slices.Contains(s.cfg.CORSOrigins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-Id, Idempotent-Replayed")
	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Rolecall-Organization, Rolecall-Project, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	c.AbortWithStatus(http.StatusNoContent)
	return true
}

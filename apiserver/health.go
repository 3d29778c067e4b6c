package apiserver

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/rolecall-dev/rolecall/sdk"
)

type health struct {
	Status string `json:"status"`
}

// healthz says that the process answers; it asks nothing of Temporal.
func (s *Server) healthz(c *gin.Context) { c.JSON(http.StatusOK, health{"ok"}) }

// readyz says whether tasks can be taken: Temporal can be reached and the server is not stopping.
func (s *Server) readyz(c *gin.Context) {
	if s.draining.Err() != nil {
		s.refuse(c, sdk.Errorf(sdk.CodeUnavailable, "the server is stopping"))
		return
	}
	if err := s.tasks.Ready(c.Request.Context()); err != nil {
		s.refuse(c, err)
		return
	}
	c.JSON(http.StatusOK, health{"ready"})
}

// serveBytes answers always the same.
func serveBytes(contentType string, body []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Data(http.StatusOK, contentType, body)
	}
}

package apiserver

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// describeLeases finishes what the document says of working over HTTP.
func describeLeases(schemas huma.Registry, paths map[string]*huma.PathItem) {
	const lease = "/v1/leases/{lease}"
	claim := paths["/v1/roles/{role}/claim"].Post
	bodyOf[sdk.ClaimRequest](schemas, claim, true)
	claim.Responses["204"] = &huma.Response{Description: "Nobody had a task for the agent in time: claim again."}
	bodyOf[sdk.LeaseProgress](schemas, paths[lease+"/progress"].Post, false)
	bodyOf[sdk.LeaseResult](schemas, paths[lease+"/complete"].Post, true)
	bodyOf[sdk.LeaseFailure](schemas, paths[lease+"/fail"].Post, true)
	bodyOf[sdk.LeaseQuestion](schemas, paths[lease+"/input-required"].Post, true)
}

// Package apiserver is the HTTP face of rolecall: gin routes and guards, huma describes the operations, and every refusal is a
// problem document. It translates between HTTP and the [Tasks] port and keeps nothing a restart would lose.
//
// routes.go is the map of the API, tasks_port.go what stands behind it.
package apiserver

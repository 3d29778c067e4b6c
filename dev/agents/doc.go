// Package agents holds the tests against real coding agents, which need more than Go: make agents-test installs them. Where an agent
// is not installed its tests are skipped.
package agents

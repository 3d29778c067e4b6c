// Package agents holds the tests against real coding agents, which need more than Go: make agents-test installs them. They are
// built with the tag agents only, so make test does without.
package agents

package conformance

import (
	"encoding/json"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

const portSchema = `{"type":"object","properties":{"port":{"type":"integer"}},"required":["port"]}`

// asking is an agent that asks, and goes on once the gate is open.
func asking(gate *sdktest.Gate) sdk.Handler {
	return sdktest.Script(
		sdktest.Attempt().Progress(20, "planning").Resume("so far").Ask("Which port?", portSchema),
		sdktest.Attempt().Until(gate).Complete("done"),
	)
}

func (s *scene) asked(id string) *sdk.Task {
	s.Helper()
	return s.is(id, "asking", func(t *sdk.Task) bool { return t.Status == sdk.StatusInputRequired })
}

func opened() *sdktest.Gate {
	g := sdktest.NewGate()
	g.Open()
	return g
}

func asks(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", asking(opened()))
	task := s.delegate()
	s.like("asks", s.asked(task.ID))
	_, err := s.client.ProvideInput(s.Context(), task.ID, "input-0-1", json.RawMessage(`{"port": 80}`))
	s.do(err)
	s.like("asks_answered", s.ended(task.ID))
}

// takesInput answers when nobody is there to go on; whether the next attempt is asked for yet, and why it waits, is left out.
func takesInput(s *scene) {
	stop := s.Agent(sdk.RoleCoder, "ann", asking(opened()))
	task := s.delegate()
	s.asked(task.ID)
	stop()
	answered, err := s.client.ProvideInput(s.Context(), task.ID, "input-0-1", json.RawMessage(`{"port":80}`))
	s.do(err)
	answered.Attempt, answered.WaitingFor = 0, nil
	s.like("takes_input", answered)
}

func answersTwice(s *scene) {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", asking(gate))
	task := s.delegate()
	s.asked(task.ID)
	provide := func(answer string) error {
		_, err := s.client.ProvideInput(s.Context(), task.ID, "input-0-1", json.RawMessage(answer))
		return err
	}
	s.do(provide(`{"port":80}`))
	s.do(provide(` { "port" : 80 } `))
	s.code("another answer", provide(`{"port":81}`), sdk.CodeConflict)
	gate.Open()
	s.ended(task.ID)
	s.code("an answer after the end", provide(`{"port":80}`), sdk.CodeConflict)
}

func answersWrongly(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", asking(opened()))
	task := s.delegate()
	s.asked(task.ID)
	provide := func(question, answer string) error {
		_, err := s.client.ProvideInput(s.Context(), task.ID, question, json.RawMessage(answer))
		return err
	}
	s.code("a text", provide("input-0-1", `"eighty"`), sdk.CodeInvalidInput, "$.answer")
	s.code("no port", provide("input-0-1", `{}`), sdk.CodeInvalidInput, "$.answer")
	s.code("another question", provide("input-0-2", `{"port":80}`), sdk.CodeConflict)
	s.asked(task.ID)
	other := s.delegate(func(r *sdk.TaskRequest) { r.Role = "nobody" })
	_, err := s.client.ProvideInput(s.Context(), other.ID, "input-0-1", true)
	s.code("a task that asks for nothing", err, sdk.CodeConflict)
}

func isNotAnswered(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", asking(opened()))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Timeouts = &sdk.Timeouts{InputMs: 1000} })
	s.Pass(time.Second)
	s.like("is_not_answered", s.ended(task.ID))
}

func asksWrongly(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Ask("Well?", `{"$ref":"#"}`)))
	s.chained(s.ended(s.delegate().ID), "0.1 failed invalid_output")
}

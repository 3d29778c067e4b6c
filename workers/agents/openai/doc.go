// Package openai works on tasks with a model behind an OpenAI-compatible endpoint, such as Ollama, vLLM or a cloud's: one request for a chat
// completion per attempt. It starts no program, and the model has no tools: its text is the result.
//
//	agent, err := openai.New(openai.Config{BaseURL: "http://127.0.0.1:11434/v1", Model: "qwen3:8b"})
//	...
//	defer agent.Close()
//	err = workers.RunRole(ctx, cfg, agent)
//
// # What the model gets
//
// One user message. Of a task whose input is a prompt and nothing else, {"prompt": text}, as a session writes it, it is that text: see
// [sdk.Task.SessionPrompt]. Of any other it is a line about the role, the title, the description and the input. What the caller answered to
// questions stands at the end of both.
//
// The model is the stage's, else [Config.Model]. A stage names it as the endpoint does, or with a provider before it (ollama/qwen3:8b): see
// [Config.Providers] and [Config.Models].
//
// # What the model says
//
// The answer is streamed. Its pieces become progress of the category message, and live output; what the request took is told as soon as
// the endpoint says it. The output is {"text": answer}, also where the text is JSON: what an output looks like does not depend on what a
// model happened to write. Beside it a result has what the answer says of a quality gate, of lessons and follow-ups and of episodes, as
// [transcript.Careful] reads it.
//
// # How the attempt ends
//
// A request is made once: repeating it is the task's business. The failure is model_error with the endpoint's own words, final where the
// same request would meet it again; payload_too_large for an answer beyond 1 MiB. An attempt that was stopped from outside answers the reason
// for it, unless the answer was complete.
package openai

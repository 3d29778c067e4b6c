// Package pi works on tasks with the pi coding agent in JSON mode: one process per attempt, run by package command, whose rules
// for processes, working directories and environments hold here too.
//
//	agent, err := pi.New(pi.Config{Command: command.Config{DataDir: dir, WorkerID: "coder-1"}})
//	...
//	defer agent.Close()
//	err = workers.RunRole(ctx, cfg, agent)
//
// # What pi gets
//
// It is started as
//
//	pi --mode json --session-dir DIR [--provider P] [--model M] [--fork FILE] [arguments of the config] -p
//
// and reads its prompt on stdin: the task's title, description and input, or, where the input is a prompt and nothing else, as a session writes
// it, that text (see [sdk.Task.SessionPrompt]), with a line about the tool that is made for the task where it is one of [Config.Tools]. The model is
// the stage's as [Config.Models] calls it, else the config's, else pi's own default. An attempt after one that did not end well goes on with the earlier conversation, if its file is in DIR: a fork of it,
// because pi works where the conversation began, and that directory may be gone.
//
// # What pi says
//
// Its events become progress (categories session, message, tool_call, tool_result, error). The conversation's id is the
// resume data, {"session": id}. Tokens and cost are summed over all requests to the model; input tokens include what came from the
// cache, and are told after every answer, so that those of an attempt that fails count, too.
//
// # How the attempt ends
//
// pi exits with 0 also when the model failed. The output is {"text": the last answer} when the run has ended (agent_end, and
// no retry after it), the last answer stopped by itself, and the exit code is 0. Else the attempt has failed: model_error with
// what the model's service said, final for an HTTP status such as 401 that would come again; agent_failed for a bad exit code, a
// signal, or a run without an end. An attempt that was stopped from outside answers the reason for it, whatever was said before.
package pi

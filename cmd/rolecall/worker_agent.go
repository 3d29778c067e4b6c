package main

import (
	"io"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/openai"
	"github.com/rolecall-dev/rolecall/workers/agents/pi"
)

// agent does a worker's attempts until it is closed.
type agent interface {
	sdk.Handler
	io.Closer
}

// newAgent makes the agent by its adapter.
func (w *roleWorker) newAgent() (agent, error) {
	switch w.adapter {
	case adapterPi:
		w.pi.Command = w.agent
		return pi.New(w.pi)
	case adapterOpenAI:
		return openai.New(w.openai)
	default:
		return command.New(w.agent)
	}
}

// checkAdapter checks which adapter is asked for, and what is given to it.
func (f workerFlags) checkAdapter(program []string) error {
	switch f.adapter {
	case adapterPi:
	case adapterCommand:
		if len(program) == 0 {
			return usagef("worker needs the agent's program after --, such as: rolecall worker --role tester --agent command -- ./my-agent")
		}
	case adapterOpenAI:
		if len(program) > 0 || f.workdir != "" {
			return usagef("the adapter openai runs no program: leave out --workdir and what stands after --")
		}
	default:
		return usagef("worker needs --agent command, --agent pi or --agent openai: these are the adapters there are")
	}
	return nil
}

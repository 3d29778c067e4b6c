package sdk

// Why a task does not run, as [WaitingFor] has it. The set is open.
const (
	WaitingForAgent   = "waiting_for_agent" // an attempt waits for an agent to take it
	WaitingNoAgent    = "no_agent"          // it does, and nobody asks for work of its role
	WaitingNoCapable  = "no_capable_agent"  // nobody is there who has the capabilities that the task needs
	WaitingAgentAway  = "agent_away"        // it does, and the agent that it addresses asks for no work
	WaitingBehind     = "behind_others"     // it does, and others wait before it
	WaitingForSlot    = "waiting_for_slot"  // an agent has taken it and has no free slot yet
	WaitingForControl = "no_control_worker" // nobody runs the workflows of tasks
	WaitingForInput   = "waiting_for_input" // a question waits for its answer
	WaitingBackingOff = "backing_off"       // the next attempt waits for its time
	WaitingPaused     = "paused"            // an operator paused the attempt in Temporal
	WaitingStopping   = "stopping"          // it was cancelled and waits for its agent to have stopped
)

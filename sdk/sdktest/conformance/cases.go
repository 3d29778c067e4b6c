package conformance

import "maps"

// cases are the table.
func cases() map[string]func(*scene) {
	all := tasks()
	maps.Copy(all, stories())
	maps.Copy(all, plans())
	return all
}

// tasks are the cases of what becomes of tasks, and of what is asked about them.
func tasks() map[string]func(*scene) {
	return map[string]func(*scene){
		"an agent completes":                   completes,
		"the output stays as it is":            keepsOutput,
		"a failed attempt is made again":       retries,
		"a final failure ends the task":        failsForGood,
		"the attempts are used up":             usesAttemptsUp,
		"an agent panics":                      panics,
		"a fallback answers":                   fallsBack,
		"nobody takes it, and a fallback does": fallsBackFromNobody,
		"a fallback is at work":                hasFallbackAtWork,
		"nobody takes it in time":              isNotTaken,
		"an attempt takes too long":            takesTooLong,
		"the task's whole time is used up":     hasNoTimeLeft,
		"an agent is stopped":                  isInterrupted,
		"an output is too large":               answersTooMuch,
		"an addressed agent has it":            addresses,
		"an agent that can has it":             needs,

		"an agent asks":                 asks,
		"the answer to an answer":       takesInput,
		"an answer twice":               answersTwice,
		"an answer does not fit":        answersWrongly,
		"nobody answers":                isNotAnswered,
		"an agent asks what can not be": asksWrongly,

		"cancelled in the queue":         cancelsQueued,
		"cancelled while it runs":        cancelsRunning,
		"cancelled while it asks":        cancelsAsking,
		"cancelled between its attempts": cancelsResting,
		"completed in spite of it":       completesCancelled,
		"cancelled after its end":        cancelsEnded,

		"the answer to a request":   isCreated,
		"the same request again":    replays,
		"a finished task anew":      retriesTask,
		"retries that are refused":  refusesRetries,
		"an unknown task":           knowsNot,
		"requests that are refused": refusesRequests,
		"a wait that ends before":   waitsInVain,

		"a child and what is below it": childEnds,
		"children that are refused":    refusesChildren,
		"progress":                     progresses,
		"progress over two attempts":   progressesTwice,
		"progress that is followed":    follows,
		"lists by every filter":        filters,
		"lists in their order":         orders,
		"pages":                        pages,
		"nobody works for the role":    hasNoAgent,
		"the addressed agent is away":  hasAgentAway,
		"behind others":                isBehind,
		"between two attempts":         backsOff,
	}
}

// stories are the cases of events.
func stories() map[string]func(*scene) {
	return map[string]func(*scene){
		"the story of a success":              tellsSuccess,
		"the story of a retry and a fallback": tellsFallback,
		"the story of a question":             tellsQuestion,
		"the story of a cancellation":         tellsCancellation,
		"an event that is followed":           followsEvents,
		"an event that is given back":         redelivers,
		"failures in groups":                  groupsErrors,
	}
}

// Package lines is the agent's side of the command adapter: one JSON object on standard input, one JSON object a line on standard
// output. Any language can do the same in a few lines of its own.
package lines

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Assignment reads the attempt from standard input, with the task's input decoded into input.
func Assignment(input any) (sdk.Assignment, error) {
	var a sdk.Assignment
	if err := json.NewDecoder(os.Stdin).Decode(&a); err != nil {
		return a, fmt.Errorf("reading the assignment: %w", err)
	}
	if err := json.Unmarshal(a.Task.Input, input); err != nil {
		return a, fmt.Errorf("reading the task's input: %w", err)
	}
	return a, nil
}

// Progress reports where the work stands.
func Progress(percentage float64, phase, format string, args ...any) {
	write(map[string]any{"progress": map[string]any{
		"percentage": percentage, "phase": phase, "message": fmt.Sprintf(format, args...),
	}})
}

// Result ends the attempt with its output.
func Result(output any) {
	write(map[string]any{"result": map[string]any{"output": output}})
}

// Verdict is Result of one that judges: where its gate was not passed, a plan sends the work back.
func Verdict(passed bool, output any) {
	write(map[string]any{"result": map[string]any{"output": output, "qualityGatePassed": passed}})
}

// Fail ends the attempt with an error of the agent's own code.
func Fail(code string, retryable bool, format string, args ...any) {
	write(map[string]any{"error": map[string]any{
		"code": code, "message": fmt.Sprintf(format, args...), "retryable": retryable,
	}})
	os.Exit(1)
}

func write(line any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, "writing a line:", err)
		os.Exit(1)
	}
}

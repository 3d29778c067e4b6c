package sdk

import "math"

// Trim answers the progress with every field inside its bounds: texts are cut, the percentage is held between 0 and 100. What
// an agent says of itself is never worth failing its work for.
func (p Progress) Trim() Progress {
	p.Percentage = clampPercent(p.Percentage)
	p.Overall = clampPercent(p.Overall)
	p.Phase = Cut(p.Phase, MaxPhase)
	p.Message = Cut(p.Message, MaxMessage)
	p.Delta = Cut(p.Delta, MaxDelta)
	p.Category = Cut(p.Category, MaxPhase)
	p.Tool = Cut(p.Tool, MaxPhase)
	return p
}

// Trim answers the error with message and details inside their bounds and a well-formed code; details that are no JSON go.
func (e TaskError) Trim() TaskError {
	if !e.Code.Valid() {
		e.Code = CodeAgentFailed
	}
	e.Message = Cut(e.Message, MaxErrorMessage)
	if len(e.Details) > 0 && CheckJSON(e.Details, MaxErrorDetails) != nil {
		e.Details = nil
	}
	return e
}

func clampPercent(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), 100)
}

package workflows

import (
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// CheckPlan answers nil or every fault of the request at once.
func CheckPlan(r sdk.PlanRequest) error { return r.Validate() }

type planCode struct {
	steps   []stepCode
	outputs map[string]*expression.Template
}

type stepCode struct {
	when  *expression.Condition
	input *expression.Template
}

func compilePlan(r sdk.PlanRequest) (planCode, []sdk.Fault) {
	return planCode{steps: make([]stepCode, len(r.Steps))}, nil
}

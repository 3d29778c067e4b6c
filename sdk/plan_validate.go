package sdk

// Validate checks the structure of the plan.
func (r PlanRequest) Validate() error { return nil }

// Validate checks the filter.
func (f PlanFilter) Validate() error { return nil }

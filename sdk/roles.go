package sdk

// Role names who does a task: it is the queue that agents poll. The set is open; ten roles are built in.
type Role string

// The built-in roles.
const (
	RoleCoordinator Role = "coordinator"
	RoleCoder       Role = "coder"
	RoleReviewer    Role = "reviewer"
	RoleTester      Role = "tester"
	RoleDocumenter  Role = "documenter"
	RoleResearcher  Role = "researcher"
	RolePlanner     Role = "planner"
	RoleDebugger    Role = "debugger"
	RoleSecurity    Role = "security"
	RoleDevOps      Role = "devops"
)

// RoleInfo describes a built-in role in one line.
type RoleInfo struct {
	Role        Role   `json:"role"`
	Description string `json:"description"`
}

// BuiltinRoles lists the built-in roles in their documented order. The slice is the caller's own.
func BuiltinRoles() []RoleInfo {
	return []RoleInfo{
		{RoleCoordinator, "breaks a goal into tasks, hands them out and brings the results together"},
		{RoleCoder, "writes and changes code"},
		{RoleReviewer, "reads changes and says what is wrong with them"},
		{RoleTester, "writes and runs tests and reports what fails"},
		{RoleDocumenter, "writes documentation for code and people"},
		{RoleResearcher, "finds out how something works, in a codebase or in documentation"},
		{RolePlanner, "turns a request into a design or an ordered plan"},
		{RoleDebugger, "finds the cause of a fault and mends it"},
		{RoleSecurity, "audits code for weaknesses and closes them"},
		{RoleDevOps, "deploys, watches and scales what runs"},
	}
}

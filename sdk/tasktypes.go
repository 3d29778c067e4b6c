package sdk

// TaskType says what is to be done, as a dotted lower-case name. The set is open: a type outside the table needs an explicit role.
type TaskType string

// The built-in task types.
const (
	TypeCodeWrite             TaskType = "code.write"
	TypeCodeReview            TaskType = "code.review"
	TypeCodeRefactor          TaskType = "code.refactor"
	TypeCodeDebug             TaskType = "code.debug"
	TypeCodeTest              TaskType = "code.test"
	TypeCodeDocument          TaskType = "code.document"
	TypeResearchCodebase      TaskType = "research.codebase"
	TypeResearchDocumentation TaskType = "research.documentation"
	TypeResearchBestPractices TaskType = "research.best_practices"
	TypePlanFeature           TaskType = "plan.feature"
	TypePlanArchitecture      TaskType = "plan.architecture"
	TypePlanMigration         TaskType = "plan.migration"
	TypeDevOpsDeploy          TaskType = "devops.deploy"
	TypeDevOpsMonitor         TaskType = "devops.monitor"
	TypeDevOpsScale           TaskType = "devops.scale"
	TypeSecurityAudit         TaskType = "security.audit"
	TypeSecurityFix           TaskType = "security.fix"
)

// The short types of session tasks.
const (
	TypeAnalyze  TaskType = "analyze"
	TypeValidate TaskType = "validate"
	TypeReflect  TaskType = "reflect"
	TypeSkills   TaskType = "skills"
	TypeExecute  TaskType = "execute"
)

// DefaultRole is the role a task of this type goes to when none is named; ok is false for a type outside the table.
func (t TaskType) DefaultRole() (role Role, ok bool) {
	switch t {
	case TypeCodeWrite, TypeCodeRefactor, TypeExecute:
		return RoleCoder, true
	case TypeCodeReview:
		return RoleReviewer, true
	case TypeCodeDebug:
		return RoleDebugger, true
	case TypeCodeTest:
		return RoleTester, true
	case TypeCodeDocument:
		return RoleDocumenter, true
	case TypeResearchCodebase, TypeResearchDocumentation, TypeResearchBestPractices:
		return RoleResearcher, true
	case TypePlanFeature, TypePlanArchitecture, TypePlanMigration:
		return RolePlanner, true
	case TypeDevOpsDeploy, TypeDevOpsMonitor, TypeDevOpsScale:
		return RoleDevOps, true
	case TypeSecurityAudit, TypeSecurityFix:
		return RoleSecurity, true
	case TypeAnalyze, TypeValidate, TypeReflect, TypeSkills:
		return RoleCoordinator, true
	default:
		return "", false
	}
}

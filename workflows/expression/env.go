package expression

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The bounds of one expression, beside [sdk.MaxStepWhen] bytes of text.
const (
	maxNesting     = 100    // levels
	maxNodes       = 10_000 // after its macros are written out
	maxPrecision   = 100    // digits that format writes
	stringsVersion = 4      // of the strings extension: what it has does not change under a plan that runs
)

// MaxText is how many bytes the expressions have together that an [Env] compiles: those of a plan. One that is shorter than MinText counts
// as that many, so that there are at most 2,048.
const (
	MaxText = 128 << 10
	MinText = 64
)

// Env is what expressions are compiled in. It is not safe for concurrent use.
type Env struct {
	cel  *cel.Env
	left int // bytes of expressions
}

// NewEnv makes an environment. It takes about a millisecond: make one in a run.
func NewEnv() (*Env, error) {
	base, err := cel.NewEnv(
		cel.Variable(namedInputs, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(namedSteps, cel.MapType(cel.StringType, cel.DynType)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ParserExpressionSizeLimit(sdk.MaxStepWhen),
		ext.Strings(ext.StringsVersion(stringsVersion), ext.StringsMaxPrecision(maxPrecision)),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
	)
	if err != nil {
		return nil, err
	}
	bounded, err := boundedFunctions(base)
	if err != nil {
		return nil, err
	}
	env, err := base.Extend(append(bounded, utcTimestamps())...)
	if err != nil {
		return nil, err
	}
	return &Env{cel: env, left: MaxText}, nil
}

// program is one expression, ready to be evaluated.
type program struct {
	source string
	run    cel.Program
	result *cel.Type
	reads  reads
}

// compile answers the expression, or what is wrong with it as the message of a fault.
func (e *Env) compile(source string) (*program, error) {
	trimmed := strings.TrimSpace(source)
	switch {
	case len(source) > sdk.MaxStepWhen:
		return nil, fmt.Errorf("is larger than %d bytes", sdk.MaxStepWhen)
	case !utf8.ValidString(source):
		return nil, errors.New("is not valid UTF-8")
	case trimmed == "":
		return nil, errors.New("is empty: write a CEL expression, such as steps.test.output.passed == true")
	}
	if e.left -= max(len(trimmed), MinText); e.left < 0 {
		return nil, fmt.Errorf("is more than there may be: the expressions of a plan have at most %d bytes together, each at least %d", MaxText, MinText)
	}
	parsed, issues := e.cel.Parse(trimmed)
	if err := complaint(issues); err != nil {
		return nil, err
	}
	found, err := readsOf(parsed.NativeRep().Expr())
	if err != nil {
		return nil, err
	}
	types := typeDepth{}
	if types.expr(parsed.NativeRep().Expr(), map[string]int{}); types.deepest > maxTypeDepth {
		return nil, fmt.Errorf("makes lists and maps that nest deeper than %d: make less in one expression", maxTypeDepth)
	}
	checked, issues := e.cel.Check(parsed)
	if err := complaint(issues); err != nil {
		return nil, err
	}
	run, err := e.cel.Program(checked, cel.CostTracking(prices{}), cel.CostLimit(MaxCost), cel.CustomDecoratorV2(watch))
	if err != nil {
		return nil, fmt.Errorf("is no CEL expression: %s", sdk.Cut(err.Error(), maxComplaint))
	}
	return &program{source: trimmed, run: run, result: checked.OutputType(), reads: found}, nil
}

// What a message says at most of what CEL complains about.
const (
	maxComplaints = 3
	maxComplaint  = 300 // bytes of each
)

// complaint answers what CEL says against an expression, in one line.
func complaint(issues *cel.Issues) error {
	if issues == nil || len(issues.Errors()) == 0 {
		return nil
	}
	var said []string
	for i, e := range issues.Errors() {
		if i == maxComplaints {
			said = append(said, "and more")
			break
		}
		where := fmt.Sprintf("column %d", e.Location.Column()+1)
		if e.Location.Line() > 1 {
			where = fmt.Sprintf("line %d, %s", e.Location.Line(), where)
		}
		message := strings.ReplaceAll(e.Message, " (in container '')", "")
		said = append(said, where+": "+strings.Join(strings.Fields(sdk.Cut(message, maxComplaint)), " "))
	}
	return errors.New("is no CEL expression: " + strings.Join(said, "; "))
}

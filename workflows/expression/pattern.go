package expression

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The bounds of a regular expression.
const (
	maxPattern        = 1000   // bytes
	maxPatternCode    = 1000   // instructions
	maxPatternClasses = 5      // of Unicode, each of which is a table of its own
	maxFolded         = 0x05FF // the last character of a range where case is ignored: its characters are looked at one by one
)

// measure answers about how many instructions a pattern has, or why it can not be used. It writes out no {n}: a pattern of 1,000 bytes can
// have a million instructions.
func measure(pattern string) (instructions int, err error) {
	if len(pattern) > maxPattern {
		return 0, fmt.Errorf("a pattern of %d bytes, which is too large: the largest has %d", len(pattern), maxPattern)
	}
	if n := strings.Count(pattern, `\p`) + strings.Count(pattern, `\P`); n > maxPatternClasses {
		return 0, fmt.Errorf("a pattern with %d classes of Unicode, which is too large: the largest has %d", n, maxPatternClasses)
	}
	if foldsWide(pattern) {
		return 0, fmt.Errorf("a pattern that ignores case and has a range with characters behind U+%04X, which is too large", maxFolded)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		why := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "error parsing regexp: ")), " ")
		return 0, fmt.Errorf("a pattern that is none: %s", sdk.Cut(why, maxComplaint))
	}
	if instructions = patternCode(parsed) + 2; instructions > maxPatternCode {
		return 0, fmt.Errorf("a pattern of %d instructions, which is too large: the largest has %d", instructions, maxPatternCode)
	}
	return instructions, nil
}

// What has a pattern ignore case.
var ignoresCase = regexp.MustCompile(`\(\?[a-zA-Z-]*i`)

// foldsWide tells whether a pattern ignores case and can have a range up to a character behind maxFolded.
func foldsWide(pattern string) bool {
	if !strings.Contains(pattern, "-") || !ignoresCase.MatchString(pattern) {
		return false
	}
	for _, r := range pattern {
		if r > maxFolded {
			return true
		}
	}
	for at := pattern; ; {
		_, escaped, found := strings.Cut(at, `\x{`)
		if !found {
			return false
		}
		code, _, _ := strings.Cut(escaped, "}")
		if r, err := strconv.ParseUint(code, 16, 32); err == nil && r > maxFolded {
			return true
		}
		at = escaped
	}
}

// patternCode is about how many instructions a pattern has, beside the two that begin and end it.
func patternCode(re *syntax.Regexp) int {
	inside := 0
	for _, sub := range re.Sub {
		inside += patternCode(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCapture:
		return inside + 2
	case syntax.OpRepeat:
		return repeatedCode(inside, re.Min, re.Max)
	case syntax.OpAlternate:
		return inside + len(re.Sub) - 1
	case syntax.OpConcat:
		return inside
	default:
		return inside + 1
	}
}

// repeatedCode is how many instructions {low,high} makes of some; a high of -1 is any number.
func repeatedCode(instructions, low, high int) int {
	if high < 0 {
		return instructions*max(low, 1) + 1
	}
	return instructions*high + high - low
}

// matches is CEL's matches. It costs 20 units for every byte of the pattern, ten for every instruction, and one for every instruction
// again for every twenty bytes of text.
func matches(m *meter, left, right ref.Val) ref.Val {
	value, isText := left.(types.String)
	pattern, isPattern := right.(types.String)
	if !isText || !isPattern {
		return types.MaybeNoSuchOverloadErr(left)
	}
	if !m.take(1 + 20*min(text(pattern), maxPattern)) {
		return types.False
	}
	instructions, err := measure(string(pattern))
	if err != nil {
		return types.NewErr("it has %v", err)
	}
	steps := uint64(instructions)
	if !m.take(10*steps + text(value)*steps/(2*textUnit)) {
		return types.False
	}
	compiled, err := regexp.Compile(string(pattern))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(compiled.MatchString(string(value)))
}

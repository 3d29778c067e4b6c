package apiserver

import (
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// secretInExpression says of an expression that it can not be taken as it is.
const secretInExpression = "has an expression with what looks like a secret, which must not be stored: leave it to the agents, or write the expression in another way"

// wordsBefore is how many bytes before an expression are looked at to tell what they call its value.
const wordsBefore = 256

// leastSecret is how many bytes a text of an expression has at least that can be a secret because of its place.
const leastSecret = 4

// expressions answers the parts of a string that stay as they are: its expressions, and what stands for the beginning of one. An expression
// that holds a secret is refused, at the path of what the string is in; one that is none does not stay.
func (p *storedPlan) expressions(path string) redact.Stays {
	return func(text string, secret func(string) bool) (kept [][2]int) {
		from := 0
		for _, part := range expression.Parts(text) {
			if part.Expression {
				texts, err := p.literals(part.Source)
				if err != nil {
					continue
				}
				words := text[max(from, part.From-wordsBefore):part.From]
				asValue := func(said string) bool { return secret(said) || !strings.HasSuffix(p.clean.String(words+said), said) }
				if p.tells(part.Source, texts, asValue) {
					p.refuse(path, secretInExpression)
				}
			}
			kept, from = append(kept, [2]int{part.From, part.To}), part.To
		}
		return kept
	}
}

// condition refuses a condition that holds a secret. One that is no expression is refused elsewhere.
func (p *storedPlan) condition(path, source string) {
	if source == "" {
		return
	}
	texts, err := p.literals(source)
	if err == nil && p.tells(source, texts, func(string) bool { return false }) || err != nil && p.holds(source) {
		p.refuse(path, secretInExpression)
	}
}

func (p *storedPlan) literals(source string) ([]expression.Literal, error) {
	if p.env == nil {
		env, err := expression.NewEnv()
		if err != nil {
			return nil, err
		}
		p.env = env
	}
	return p.env.Literals(source, redact.Weight)
}

// tells reports whether an expression has a secret in it, which asValue says of a text that can be its value.
func (p *storedPlan) tells(source string, texts []expression.Literal, asValue func(string) bool) bool {
	return p.holds(expression.Bare(source)) || slices.ContainsFunc(texts, func(l expression.Literal) bool {
		return p.holds(l.Text) || len(l.Text) >= leastSecret && (redact.SecretOf(l.Name, l.Text) || l.Value && asValue(l.Text))
	})
}

package apiserver

import (
	"slices"

	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// secretInExpression says of an expression that it can not be taken as it is.
const secretInExpression = "has an expression with what looks like a secret, which must not be stored: leave it to the agents, or write the expression in another way"

// wordsBeside is how many bytes before an expression, and behind it, are looked at to tell what they make of its value.
const wordsBeside = 256

// leastSecret is how many bytes a text of an expression has at least that can be a secret because of its place.
const leastSecret = 4

// maxTogether is how many texts of a plan's expressions there are at most that words stand beside.
const maxTogether = 2000

// tooManyTogether says of an expression that it can not be looked at.
const tooManyTogether = "has an expression with too many texts: a plan has at most 2000 with words beside their expression; write the words in the expression"

// expressions answers the parts of a string that stay as they are: its expressions. One that holds a secret is refused, at the path of what
// the string is in; one that is none does not stay.
func (p *storedPlan) expressions(path string) redact.Stays {
	return func(text string, secret func(string) bool) (kept [][2]int) {
		parts := slices.DeleteFunc(expression.Parts(text), func(e expression.Part) bool { return !e.Expression }) // what is none is words
		from := 0
		for i, part := range parts {
			texts, err := p.literals(part.Source)
			if err != nil {
				continue
			}
			to := len(text)
			if i+1 < len(parts) {
				to = parts[i+1].From
			}
			words := beside{before: text[max(from, part.From-wordsBeside):part.From], behind: text[part.To:min(to, part.To+wordsBeside)]}
			asked := p.together
			asValue := func(said string) bool { return secret(said) || p.completes(words, said) }
			switch {
			case p.tells(part.Source, texts, asValue):
				p.refuse(path, secretInExpression)
			case p.together > max(asked, maxTogether):
				p.refuse(path, tooManyTogether)
			}
			kept, from = append(kept, [2]int{part.From, part.To}), part.To
		}
		return kept
	}
}

// beside are the words before an expression and behind it.
type beside struct{ before, behind string }

// completes reports whether a text is, or is a part of, a secret because of the words beside it, be it of those before it alone. It is not
// asked of more than maxTogether texts.
func (p *storedPlan) completes(words beside, said string) bool {
	if words == (beside{}) {
		return false
	}
	if p.together++; p.together > maxTogether {
		return false
	}
	from, to := len(words.before), len(words.before)+len(said)
	all := words.before + said + words.behind
	return p.clean.Part(all[:to], from, to) != said || p.clean.Part(all, from, to) != said
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

// literals are the texts of an expression, each once.
func (p *storedPlan) literals(source string) ([]expression.Literal, error) {
	if p.env == nil {
		env, err := expression.NewEnv()
		if err != nil {
			return nil, err
		}
		p.env = env
	}
	texts, err := p.env.Literals(source, redact.Weight)
	seen := make(map[expression.Literal]bool, len(texts))
	return slices.DeleteFunc(texts, func(l expression.Literal) bool {
		again := seen[l]
		seen[l] = true
		return again
	}), err
}

// tells reports whether an expression has a secret in it, which asValue says of a text that can be its value.
func (p *storedPlan) tells(source string, texts []expression.Literal, asValue func(string) bool) bool {
	return p.holds(expression.Bare(source)) || slices.ContainsFunc(texts, func(l expression.Literal) bool {
		return p.holds(l.Text) || len(l.Text) >= leastSecret && (redact.SecretOf(l.Name, l.Text) || l.Value && asValue(l.Text))
	})
}

package expression_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/workflows/expression"
)

func TestParts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                               nil,
		"{{ x }} $x }}":                  nil,
		"${{ x }}":                       {"${{ x }}"},
		"a ${{ x }} b ${{y}} c":          {"${{ x }}", "${{y}}"},
		"${{ {'a': {'b': 1}} }} x":       {"${{ {'a': {'b': 1}} }}"},
		"${{ x }} and {\"a\":{\"b\":1}}": {"${{ x }}"},
		"$${{ x }} ${{ y }}":             {"$${{", "${{ y }}"},
		"$$${{ x }}":                     {"$${{"},
		"${{ x }}$${{$${{${{ y }}":       {"${{ x }}", "$${{", "$${{", "${{ y }}"},
		"${{ '${{' + x }} z":             {"${{ '${{' + x }}"},
		"${{ '}}' + r'\\' }}}} z":        {"${{ '}}' + r'\\' }}"},
		"${{ x":                          nil,
		"${{ x }}${{ '":                  {"${{ x }}"},
		"${{":                            nil,
		"$${{":                           {"$${{"},
	} {
		var got []string
		for _, part := range expression.Parts(text) {
			said := text[part.From:part.To]
			if got = append(got, said); part.Expression && said != "${{"+part.Source+"}}" {
				t.Errorf("%s has the source %q", said, part.Source)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]string{
		"inputs.a":                             nil,
		"'x' // 'y'":                           {"x|value"},
		"'x' + \"y\" + inputs.a + r'z' + b'w'": {"xy|value", "zw|value"},
		"inputs.a == 'x' ? 'y' : 'z'":          {"x|a", "y|value", "z|value"},
		"steps['s'].output['t']":               {"s", "t"},
		"{'k': ['x']}":                         {"k", "x|k|value"},
		"inputs.a.b.startsWith('x')":           {"x|b"},
		"'x'.contains(inputs.a) == 'y'":        {"x|a", "y"},
		"inputs.a.replace('x', 'y')":           {"x", "y|value"},
		"inputs.a.replace('x', 'y').matches('z') ? 'u'.split('v') : ['w'].join('-')": {"x", "y", "z", "u|value", "v", "w|value", "-|value"},
		"inputs.a in {'x': 'y'}":                {"x|a", "y|a"},
		"{'x': {'y': 1}}[inputs.a]":             {"x|a", "y"},
		"inputs.a == {'x': {'y': 'z'}}":         {"x", "y", "z|a"},
		"{'x': 1}.exists(k, k == inputs.a)":     {"x|a"},
		"{'x': 1}.map(k, k)[0] == inputs.a":     {"x|a"},
		"[{'x': 1}].exists(m, m.b == inputs.a)": {"x"},
		"inputs.a.split('x')[0] == 'y'":         {"x", "y|a"},
		"inputs['c d'] in ['x', 'y']":           {"c d", "x|c d", "y|c d"},
		"inputs.a == 'x' || !('y' == inputs.b)": {"x|a", "y|b"},
		"['x'].exists(e, e == inputs.b)":        {"x|b|value"},
	} {
		env, err := expression.NewEnv()
		if err != nil {
			t.Fatal(err)
		}
		found, err := env.Literals(source, evenly)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		}
		var got []string
		for _, l := range found {
			words := []string{l.Text}
			if l.Name != "" {
				words = append(words, l.Name)
			}
			if l.Value {
				words = append(words, "value")
			}
			got = append(got, strings.Join(words, "|"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
		if _, err := env.Literals(source+strings.Repeat(" ", 5000), evenly); err == nil {
			t.Error("one that is too large is read")
		}
	}
	env, err := expression.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Literals("'x' +", evenly); err == nil {
		t.Error("one that is none is read")
	}
	read := 0
	for err == nil && read < expression.MaxText {
		_, err = env.Literals("1", evenly)
		read++
	}
	if read > 2048 {
		t.Errorf("%d small ones are read", read)
	}
}

// evenly weighs every name alike.
func evenly(string) int { return 1 }

func TestBare(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"inputs.a == 'b' ? \"c\" : r'\\'": "inputs.a \n\n '' ? '' \n r''",
		"a // b: 'c'\n+ d":                "a \n// b: 'c'\n+ d",
		"'''a'b''' + 'c":                  "'' + ''",
	} {
		if got := expression.Bare(source); got != want {
			t.Errorf("%s is %q, want %q", source, got, want)
		}
	}
}

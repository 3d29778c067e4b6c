package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// planSaying is a plan with a condition, an input and outputs.
func planSaying(when, input, outputs string) string {
	return fmt.Sprintf(`{"title":"t","inputs":{"env":"e","password":"p","token":"t","api_key":"k","n":1},"steps":[{"id":"a","type":"code.write","title":"t"},
		{"id":"b","type":"code.write","title":"t","needs":["a"],"when":%q,"input":%s}],"outputs":%s}`, when, input, outputs)
}

// TestASecretInAnExpressionIsRefused, be it one by its look, by the name of the place that it is for, or by what the expression calls it.
func TestASecretInAnExpressionIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	type plan struct{ when, input, outputs, path string }
	var plans []plan
	for _, input := range []string{
		`{"password":"${{ inputs.env == 'prod' ? 'hunter2' : 'x1' }}"}`,
		`{"password":"${{ inputs.env }} ${{ ('hunter2') }}"}`,
		`{"password":["${{ ['hunter2'].map(x, x)[0] }}"]}`,
		`{"name":"DB_PASSWORD","value":"${{ b'hunter2' }}"}`,
		`{"api_key":"${{ inputs.env + r'hunter2' }}"}`,
		`"${{ {'password': 'hunter2', 'a': 1} }}"`,
		`"${{ {'a': {'password': inputs.env == '' ? inputs.env : 'hunter2'}} }}"`,
		`"${{ [{'name': 'DB_PASSWORD', 'value': 'hunter2'}] }}"`,
		`"${{ [{'Value': 'hunter2', 'Key': 'DB_PASSWORD'}] }}"`,
		`{"args":"${{ ['mysql', '--password', 'hunter2'] + ['shop'] }}"}`,
		`"password=${{ 'hunter2' }}"`,
		`"https://joe:${{ inputs.env == '' ? 'hunter2' : inputs.password }}@db"`,
		`"https://joe:${{ 'hunter2' }}${{ inputs.env }} password: ${{ 'hunter2word' }} and more"`,
		`{"password":"${{ inputs.env.replace('-', 'hunter2') }}"}`,
		`{"password":"${{ 'hunter2-'.replace('-', '') }}"}`,
		`"${{ 'password=' + 'hunter2' }}"`,
		`"${{ inputs.env // password=hunter2\n }}"`,
		`"${{ inputs.env == '%' }}"`,
		`"${{ steps['a'].output['%'] }}"`,
		`"${{ steps.a.output.%[0] }}"`,
	} {
		plans = append(plans, plan{"true", input, `{}`, "$.steps[1].input"}, plan{"true", `{}`, `{"o":` + input + `}`, "$.outputs"})
	}
	for _, when := range []string{
		`inputs.password == 'hunter2'`, `'hunter2' != inputs["password"]`, `inputs.password in ['a1', 'hunter2']`, `inputs.password.startsWith('hunter2')`,
		`['hunter2'].exists(p, p == inputs.password)`, `[inputs.password].exists(p, p == 'hunter2')`, `[[inputs.password]].exists(p, p.exists(q, 'hunter2' == q))`, `steps.a.output.password.lowerAscii() == "hunter2"`, `inputs.token == 'a1b2c3d4e5'`, `inputs.env == '%'`,
		`inputs.password.contains('hunter2')`, `'hunter2'.endsWith(inputs.password)`, `[inputs.env, inputs.password].join(':') == 'joe:hunter2'`,
		`inputs.password.replace('-', '') == 'hunter2'`, `['hunter2'].exists(p, [p].exists(q, q == inputs.password))`,
		`{'hunter2': 1}.map(k, k)[0] == inputs.password`, `{'hunter2': 1}.exists(k, k == inputs.password)`, `inputs.password in {'hunter2': true}`, `{'hunter2': true}[inputs.password]`,
		`[inputs.password].map(p, [p].filter(q, q == 'hunter2')).exists(x, size(x) > 0)`, `[] == [inputs.password].map(p, [p].filter(q, q == 'hunter2'))`,
		`size(inputs.env) > 1 // password: hunter2`,
	} {
		plans = append(plans, plan{when, `{}`, `{}`, "$.steps[1].when"})
	}
	for _, tc := range plans {
		body := strings.ReplaceAll(planSaying(tc.when, tc.input, tc.outputs), "%", "AKIA"+strings.Repeat("A1B2", 4))
		w := call(s, http.MethodPost, "/v1/plans", body)
		if w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s is taken", body)
			continue
		}
		if p := problemOf(t, w); len(p.Errors) != 1 || p.Errors[0].Path != tc.path || p.Errors[0].Message != secretInExpression || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if got := plansOf(t, s).created; len(got) > 0 {
		t.Errorf("%+v is stored", got[0].Request)
	}
}

// TestAnExpressionWithoutASecretIsTaken as it came, whatever it reads.
func TestAnExpressionWithoutASecretIsTaken(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	for _, input := range []string{
		`{"password":"${{ inputs.env == 'prod' ? inputs.password : inputs[\"env\"] }}"}`,
		`{"password":"${{ steps['a'].output[\"my key\"] }}"}`,
		`{"password":"${{ has(inputs.password) && inputs.env in ['prod', 'test'] ? inputs.password : '' }}"}`,
		`{"token":"${{ inputs.env + '-' + inputs.token }}"}`,
		`"${{ [{'name': 'DB_PASSWORD', 'from': 'the vault'}, {'name': 'DB_USER', 'value': 'joe1'}] }}"`,
		`"${{ ['--password', '--verbose', 'shop'] }}"`,
		`{"a":"${{ inputs.password != '' ? inputs.password : inputs.env }}","b":"${{ inputs.env == inputs.password ? 'with one' : 'without one1' }}"}`,
		`"${{ inputs.n == 1 ? inputs.password : inputs.n2 }}"`,
		`"password: ${{ inputs.password }}, user: ${{ inputs.env == '' ? 'nobody' : inputs.env }}"`,
		`{"a":"${{ inputs.password.replace('-', '') }}","b":"${{ inputs.api_key.split(':')[0] }}","password":"${{ inputs.env + '-' + inputs.password }}"}`,
		`{"a":"${{ 'Bearer %s'.format([inputs.api_key]) }}","b":"${{ [inputs.env, inputs.password].join(' and ') }}"}`,
		`"${{ ['prod1', 'test1'].exists(e, e == inputs.env && inputs.password != '') }}"`,
		`"https://${{ inputs.env }}:${{ inputs.password }}@db.example/ curl -u ${{ inputs.env }}:${{ inputs.password }} PASSWORD=${{ inputs.password }}"`,
		`{"password":"${{ inputs.password.replace('prod-', '') }}","api_key":"${{ inputs.env.split('key is ')[1] }}","secret":"${{ inputs.env.substring(inputs.env.indexOf('here: ')) }}"}`,
		`"${{ {'password': inputs.env.replace('prefix-', ''), 'secret': {'name1': inputs.env}, 'token': inputs.env.lastIndexOf('token1234')} }}"`,
		`"https://${{ inputs.env == '' ? 'nobody1' : inputs.env }}:${{ inputs.env == '' ? inputs.api_key : inputs.password }}@db, ${{ inputs.env == 'x1' ? 'one2' : 'two3' }}: see joe@db"`,
		`"password: '$${{ secrets.DB_PASSWORD }}' PASSWORD=$${{secrets.DB}} https://joe:$${{secrets.DB}}@db ${{ inputs.env }}"`,
		`{"password":"$${{ secrets.DB }}","a":"Cookie: session=$${{ secrets.A }}; Path=/","b":"'--password $${{ secrets.DB }}'"}`,
		`["Cookie: session=${{ inputs.env }}; csrf=${{ inputs.password }}","Set-Cookie: session=${{ inputs.env }}; Path=/admin"]`,
	} {
		input = strings.ReplaceAll(input, "inputs.n2", "string(inputs.n)")
		for _, when := range []string{"true", `inputs.password != ''`, `inputs.n == 1 ? inputs.env == 'prod1' : has(inputs.password)`, `steps.a.output.needs_password ? inputs.env == 'value1' : true`,
			`inputs.password.matches('^[a-z]+$') && inputs.password.startsWith('a')`, `inputs.password.indexOf('abcd') > 0`} {
			answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", planSaying(when, input, `{}`)), http.StatusCreated)
			created := plansOf(t, s).created
			if got := created[len(created)-1].Request.Steps[1]; string(got.Input) != input || got.When != when {
				t.Errorf("%s and %s became %s and %s", input, when, got.Input, got.When)
			}
		}
	}
}

// TestWordsBesideExpressionsAreRedacted: only expressions stay as they are, up to the end that they have when they are evaluated.
func TestWordsBesideExpressionsAreRedacted(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	const marker = "[redacted]"
	for input, want := range map[string]string{
		`"${{ inputs.env }} password=hunter2 {\"a\":{\"b\":1}}"`: `"${{ inputs.env }} password=` + marker + ` {\"a\":{\"b\":1}}"`,
		`{"password":"${{ inputs.env }}hunter2}}"}`:              `{"password":"${{ inputs.env }}` + marker + `"}`,
		`"PASSWORD=$${{ 1 }}, API_KEY=hunter2$${{ 2 }}"`:         `"PASSWORD=$${{ 1 }}, API_KEY=` + marker + ` 2 }}"`,
		`"$${{ password=hunter2 }} ${{ inputs.n }}"`:             `"$${{ password=` + marker + ` }} ${{ inputs.n }}"`,
		`"https://${{ inputs.env }}:hunter2@db.example/"`:        `"https://${{ inputs.env }}:` + marker + `@db.example/"`,
		`"DB_PASSWORD=${{ inputs.env }}hunter2"`:                 `"DB_PASSWORD=${{ inputs.env }}` + marker + `"`,
		`"curl -u ${{ inputs.env }}:hunter2 https://db"`:         `"curl -u ${{ inputs.env }}:` + marker + ` https://db"`,
	} {
		answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", planSaying("true", input, `{}`)), http.StatusCreated)
		created := plansOf(t, s).created
		if got := string(created[len(created)-1].Request.Steps[1].Input); got != want {
			t.Errorf("%s becomes %s, want %s", input, got, want)
		}
	}
}

// TestManyTextsBesideWords: how many are looked at has a bound, each counted once.
func TestManyTextsBesideWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"see ${{ ['one1', 'one1', 'one1'] }}":          0,
		"see ${{ ['one1', 'two2'] }}":                  1,
		"see ${{ ['one1'] }}, ${{ ['one1', 'one1'] }}": 1,
		"${{ ['one1', 'two2', 'three3'] }} see":        1,
		"${{ ['one1', 'two2', 'three3'] }}":            0,
	} {
		p := storedPlan{clean: redact.Default(), together: maxTogether - 1}
		p.expressions("$.outputs")(text, func(string) bool { return false })
		if len(p.faults) != want || want > 0 && (p.faults[0] != sdk.Fault{Path: "$.outputs", Message: tooManyTogether}) {
			t.Errorf("%s: %+v", text, p.faults)
		}
	}
}

package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlanSecretsAreRedacted: what is stored of a plan holds no secret, and expressions are as they came.
func TestPlanSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	secret := aSecret("sk-")
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	body := strings.ReplaceAll(`{"title":"use %","goal":"with % and password=hunter2","inputs":{"password":"hunter2","nested":{"api_key":"abcd","n":1.0},"text":"%"},
		"steps":[{"id":"a","type":"code.write","title":"say %","description":"the key is %","when":"inputs.password != ''",
			"input":{"%":1,"password":"${{ inputs.password }}","secret":"x-${{ inputs.nested.api_key }}-y","mixed":"% ${{ inputs.text }} password=hunter2","cookie":"cookie: a=${{ inputs.text }}",
				"literal":"$${{ % }}","map":"${{ {'a': {'b': inputs.text}} }}","plain":"password=hunter2"}}],
		"outputs":{"token":"${{ steps.a.output.token }}","note":"% and ${{ steps.a.output }}"}}`, "%", secret)
	plan := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", body, "Idempotency-Key", "k"), http.StatusCreated)
	again := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", body, "Idempotency-Key", "k"), http.StatusOK)
	if p := problemOf(t, call(s, http.MethodPost, "/v1/plans", strings.ReplaceAll(body, secret, aSecret("sk-other")), "Idempotency-Key", "k")); p.Code != sdk.CodeIdempotencyMismatch || again.ID != plan.ID {
		t.Errorf("another secret is another body: %+v", p)
	}
	r := plansOf(t, s).created[0].Request
	stored, err := json.Marshal([]any{r, plan})
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{secret, "hunter2", "abcd"} {
		if strings.Contains(string(stored), said) {
			t.Errorf("%q is stored: %s", said, stored)
		}
	}
	const marker = "[redacted]"
	var input map[string]any
	if err := json.Unmarshal(r.Steps[0].Input, &input); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		marker: 1.0, "password": "${{ inputs.password }}", "secret": marker + "${{ inputs.nested.api_key }}" + marker,
		"mixed": marker + " ${{ inputs.text }} password=" + marker, "cookie": "cookie: a=${{ inputs.text }}", "literal": "$${{ " + marker + " }}",
		"map": "${{ {'a': {'b': inputs.text}} }}", "plain": "password=" + marker,
	}
	if diff := cmp.Diff(want, input); diff != "" {
		t.Error(diff)
	}
	if r.Title != "use "+marker || r.Goal != "with "+marker+" and password="+marker || r.Steps[0].Title != "say "+marker || r.Steps[0].Description != "the key is "+marker ||
		r.Steps[0].When != "inputs.password != ''" || string(r.Inputs["nested"]) != `{"api_key":"`+marker+`","n":1.0}` || string(r.Inputs["password"]) != `"`+marker+`"` {
		t.Errorf("%+v", r)
	}
	if string(r.Outputs["token"]) != `"${{ steps.a.output.token }}"` || string(r.Outputs["note"]) != `"`+marker+` and ${{ steps.a.output }}"` {
		t.Errorf("%s", stored)
	}
}

// TestASecretIsNoNameInAPlan: a name, or an expression, that is redacted would be another.
func TestASecretIsNoNameInAPlan(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	for body, path := range map[string]string{
		`{"title":"t","steps":[{"id":"%","type":"code.write","title":"t"}]}`:                                             "$.steps[0].id",
		`{"title":"t","inputs":{"%":1},"steps":[{"id":"a","type":"code.write","title":"t"}]}`:                            "$.inputs",
		`{"title":"t","outputs":{"%":1},"steps":[{"id":"a","type":"code.write","title":"t"}]}`:                           "$.outputs",
		`{"title":"t","outputs":{"o":"${{ '%' }}"},"steps":[{"id":"a","type":"code.write","title":"t"}]}`:                "$.outputs",
		`{"title":"t","steps":[{"id":"a","type":"code.write","title":"t","when":"'%' != ''"}]}`:                          "$.steps[0].when",
		`{"title":"t","steps":[{"id":"a","type":"code.write","title":"t","input":["x",{"y":"see ${{ '%' }}"}]}]}`:        "$.steps[0].input",
		`{"title":"t","steps":[{"id":"a","type":"code.write","title":"t","fallback":[{"role":"coder","agentId":"%"}]}]}`: "$.steps[0].fallback[0].agentId",
		`{"title":"t","steps":[{"id":"a","type":"code.write","title":"t","fallback":[{"role":"coder","model":"%"}]}]}`:   "$.steps[0].fallback[0].model",
	} {
		w := call(s, http.MethodPost, "/v1/plans", strings.ReplaceAll(body, "%", aSecret("sk-")))
		if p := problemOf(t, w); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path || strings.Contains(w.Body.String(), "a1B2") {
			t.Errorf("%s: %+v", body, p)
		}
		answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", strings.ReplaceAll(body, "%", "plain")), http.StatusCreated)
	}
	off := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.Redact = "off" })
	answerOf[sdk.Plan](t, call(off, http.MethodPost, "/v1/plans", `{"title":"password=hunter2","steps":[{"id":"a","type":"code.write","title":"t","when":"'`+aSecret("sk-")+`' != ''"}]}`), http.StatusCreated)
	if got := plansOf(t, off).created[0].Request.Title; got != "password=hunter2" {
		t.Errorf("%q", got)
	}
}

func TestAPlanThatGrowsOverItsBoundsByRedaction(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	full := strings.Repeat("x", sdk.MaxTitle-14) + " password=abcd"
	input := `"` + growing() + `"`
	plan := func(title, input string) string {
		return fmt.Sprintf(`{"title":%q,"steps":[{"id":"a","type":"code.write","title":%q,"input":%s}]}`, title, title, input)
	}
	if got := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", plan(full, "1")), http.StatusCreated); len([]rune(got.Title)) != sdk.MaxTitle || strings.Contains(got.Title, "abcd") {
		t.Errorf("%q", got.Title)
	}
	answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", plan("t", strings.ReplaceAll(input, "=", "-"))), http.StatusCreated)
	w := call(s, http.MethodPost, "/v1/plans", plan("t", input))
	if p := problemOf(t, w); len(p.Errors) != 1 || p.Errors[0].Path != "$.steps[0].input" || !strings.Contains(p.Detail, "once its secrets are redacted") {
		t.Errorf("%+v", p)
	}
}

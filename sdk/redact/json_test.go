package redact_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

func TestJSONStaysJSONByteByByte(t *testing.T) {
	t.Parallel()
	key := secrets()["Anthropic"]
	for in, want := range map[string]string{
		`{"a": 12345678901234567890.10, "b":[1e400, true,null]}`: `{"a": 12345678901234567890.10, "b":[1e400, true,null]}`,
		`"use ` + key + `"`:                                            `"use [redacted]"`,
		`{"x":"<a>\u0026` + key + `"}`:                                 `{"x":"<a>&[redacted]"}`,
		`{"password" : "hunter2","n":1.0}`:                             `{"password" : "[redacted]","n":1.0}`,
		`{"db_password":"a b","apiKey":"$KEY"}`:                        `{"db_password":"[redacted]","apiKey":"$KEY"}`,
		`{"password":{"type":"string"}}`:                               `{"password":{"type":"string"}}`,
		`{"password":12345,"next":"hunter2"}`:                          `{"password":12345,"next":"hunter2"}`,
		`{"password":["hunter2",{"a":"b"},"x"],"y":"z"}`:               `{"password":["[redacted]",{"a":"b"},"[redacted]"],"y":"z"}`,
		`{"secret":{"value":"hunter2","kind":"b"}}`:                    `{"secret":{"value":"[redacted]","kind":"b"}}`,
		`[{"name":"DB_PASSWORD","value":"hunter2"},{"value":"b"}]`:     `[{"name":"DB_PASSWORD","value":"[redacted]"},{"value":"b"}]`,
		`["mysql","--password","hunter2","shop"]`:                      `["mysql","--password","[redacted]","shop"]`,
		`["--password","--verbose","x"]`:                               `["--password","--verbose","x"]`,
		`{"credentials":"include","token":"identifier"}`:               `{"credentials":"include","token":"identifier"}`,
		`{"next_page_token":"abc","token":"abc123def456"}`:             `{"next_page_token":"abc","token":"[redacted]"}`,
		`{"password":"${VAULT}abc","db_password":"$DB"}`:               `{"password":"[redacted]","db_password":"$DB"}`,
		`{"properties":{"token":{"type":"string"}},"secret":"string"}`: `{"properties":{"token":{"type":"string"}},"secret":"string"}`,
		`{"tokensUsed":17,"keys":["a"]}`:                               `{"tokensUsed":17,"keys":["a"]}`,
		`{"` + key + `":1,"` + key + `x":2}`:                           `{"[redacted]":1,"[redacted] 2":2}`,
		`{"[redacted]":0,"` + key + `":1}`:                             `{"[redacted]":0,"[redacted] 2":1}`,
		`{"a":"\ud800","b":"\ud800 ` + key + `"}`:                      "{\"a\":\"\\ud800\",\"b\":\"\uFFFD [redacted]\"}",
		`{"s":"sk\u002d` + key[3:] + `"}`:                              `{"s":"[redacted]"}`,
		`{"args":"{\"password\":\"hunter2\"}"}`:                        `{"args":"{\"password\":\"[redacted]\"}"}`,
		`{"headers":{"Authorization":"Bearer a1b2c3d4"}}`:              `{"headers":{"Authorization":"Bearer [redacted]"}}`,
	} {
		got := string(redact.Default().JSON(json.RawMessage(in)))
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		if again := string(redact.Default().JSON(json.RawMessage(got))); again != got {
			t.Errorf("%s, once more: %s", got, again)
		}
	}
	if got := string(redact.Default().JSON(json.RawMessage(`{"broken ` + key))); strings.Contains(got, key) {
		t.Errorf("what is no JSON: %s", got)
	}
	if got := (*redact.Redactor)(nil).JSON(json.RawMessage(`"` + key + `"`)); string(got) != `"`+key+`"` {
		t.Errorf("redaction is off: %s", got)
	}
}

func TestJSONDoesNotTouchWhatItIsGiven(t *testing.T) {
	t.Parallel()
	in := json.RawMessage(`{"password":"hunter2"}`)
	redact.Default().JSON(in)
	if string(in) != `{"password":"hunter2"}` {
		t.Errorf("%s", in)
	}
}

func FuzzJSONStaysJSON(f *testing.F) {
	for _, s := range secrets() {
		quoted, err := json.Marshal(map[string]any{s: 1, "x": []string{s, "password=" + s}, "password": s})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(quoted))
	}
	f.Add(`{"a\"":"\\\"","password":"\"","":"","[redacted]":"[redacted"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			t.Skip()
		}
		r := redact.Default()
		once := r.JSON(json.RawMessage(text))
		if !json.Valid(once) {
			t.Fatalf("%q became %q", text, once)
		}
		if twice := r.JSON(once); string(twice) != string(once) {
			t.Errorf("%q\nonce  %q\ntwice %q", text, once, twice)
		}
		var tree any
		if err := json.Unmarshal(once, &tree); err != nil {
			return // a number too large for Go
		}
		everyString(tree, func(s string) {
			if clean := r.String(s); clean != s {
				t.Errorf("%q leaves %q, which is %q", text, s, clean)
			}
		})
	})
}

func everyString(tree any, visit func(string)) {
	switch v := tree.(type) {
	case string:
		visit(v)
	case []any:
		for _, e := range v {
			everyString(e, visit)
		}
	case map[string]any:
		for k, e := range v {
			visit(k)
			everyString(e, visit)
		}
	}
}

// TestJSONBut: what stays is as it came, and what is beside it is redacted, by its own look, by what it is together with what stays, and by the
// name that it stands under.
func TestJSONBut(t *testing.T) {
	t.Parallel()
	braces := regexp.MustCompile(`<<.*?>>`)
	stays := func(text string, _ func(string) bool) (parts [][2]int) {
		for _, at := range braces.FindAllStringIndex(text, -1) {
			parts = append(parts, [2]int{at[0], at[1]})
		}
		return parts
	}
	own, err := redact.New("acme_[a-z]+")
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		`{"a":"<<password=hunter2>>"}`:                                    `{"a":"<<password=hunter2>>"}`,
		`{"a":"password=hunter2 <<x>> password=hunter3"}`:                 `{"a":"password=[redacted] <<x>> password=[redacted]"}`,
		`{"password":"<<x>>"}`:                                            `{"password":"<<x>>"}`,
		`{"password":"a<<x>>b"}`:                                          `{"password":"[redacted]<<x>>[redacted]"}`,
		`{"password":"hunter2","n":1.50}`:                                 `{"password":"[redacted]","n":1.50}`,
		`[ "say \"<<x>>\"" , {"password=hunter2":"<<y>>"} ]`:              `[ "say \"<<x>>\"" , {"password=[redacted]":"<<y>>"} ]`,
		`{"name":"DB_PASSWORD","value":"<<x>>"}`:                          `{"name":"DB_PASSWORD","value":"<<x>>"}`,
		`{"name":"DB_PASSWORD","value":"x<<x>>"}`:                         `{"name":"DB_PASSWORD","value":"[redacted]<<x>>"}`,
		`{"<<password=hunter2>>":1,"b":"password=hunter2 <<\n>>"}`:        `{"<<password=[redacted]":1,"b":"password=[redacted] <<\n>>"}`,
		`["https://<<x>>:hunter2@db.example/<<y>> z"]`:                    `["https://<<x>>:[redacted]@db.example/<<y>> z"]`,
		`"https://joe:hunter2<<x>>hunter3<<y>>@db and more"`:              `"https://joe:[redacted]<<x>>[redacted]<<y>>@db and more"`,
		`"DB_PASSWORD=<<x>>hunter2 <<y>> curl -u <<x>>:hunter2"`:          `"DB_PASSWORD=<<x>>[redacted] <<y>> curl -u <<x>>:[redacted]"`,
		`"<<x>>` + secrets()["Anthropic"] + `<<y>> Bearer <<x>>a1b2c3d4"`: `"<<x>>[redacted]<<y>> Bearer <<x>>[redacted]"`,
		`"https://<<x>>:<<y>>@<<z>>:80/a@b PASSWORD=<<x>> cookie: a=<<x>>\ncurl -u <<x>>:<<y>> https://joe:<<x>>-<<y>>@db"`: `"https://<<x>>:<<y>>@<<z>>:80/a@b PASSWORD=<<x>> cookie: a=<<x>>\ncurl -u <<x>>:<<y>> https://joe:<<x>>-<<y>>@db"`,
		`"Cookie: session=<<x>>; csrf=<<y>>"`:                                          `"Cookie: session=<<x>>; csrf=<<y>>"`,
		`"Set-Cookie: session=<<x>>-<<y>>; Path=/admin; Domain=example.com and <<z>>"`: `"Set-Cookie: session=<<x>>-<<y>>; Path=/admin; Domain=example.com and <<z>>"`,
		`"use Cookie: session=<<x>> to come in at <<y>>"`:                              `"use Cookie: session=<<x>> to come in at <<y>>"`,
		`"Cookie: session=<<x>>; csrf=hunter2 and DB_PASSWORD=<<y>>hunter3"`:           `"Cookie: session=<<x>>; csrf=[redacted] and DB_PASSWORD=<<y>>[redacted]"`,
		`"Cookie: session=<<x>>hunter2; <<y>>=hunter3"`:                                `"Cookie: session=<<x>>[redacted]; <<y>>=[redacted]"`,
		`"rl_<<x>>_backend_service_name sk-<<y>>-resource-group-name"`:                 `"rl_<<x>>_backend_service_name sk-<<y>>-resource-group-name"`,
		`"acme_<<x>> acme_abc acme_<<y>>"`:                                             `"acme_<<x>> [redacted] acme_<<y>>"`,
	} {
		if got := string(own.JSONBut(json.RawMessage(raw), stays)); got != want {
			t.Errorf("%s becomes %s, want %s", raw, got, want)
		}
	}
	var said []bool
	redact.Default().JSONBut(json.RawMessage(`{"a":"x","password":"y","list":[{"name":"api_key","value":"z"}],"token":"t"}`), func(_ string, secret func(string) bool) [][2]int {
		said = append(said, secret("hunter2"))
		return nil
	})
	if diff := cmp.Diff([]bool{false, true, false, true, false}, said); diff != "" {
		t.Errorf("where a text is a secret: %s", diff)
	}
	raw := json.RawMessage(`{"password":"hunter2"}`)
	if got := (*redact.Redactor)(nil).JSONBut(raw, stays); string(got) != string(raw) {
		t.Errorf("of nothing: %s", got)
	}
}

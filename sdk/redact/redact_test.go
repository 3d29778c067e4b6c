package redact_test

import (
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// fake is something that looks like a secret and is none: in two parts, so that no scanner takes this file for a leak.
func fake(prefix, rest string) string { return prefix + rest }

// secrets are one of each common format, by what they are.
func secrets() map[string]string {
	const rest = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
	return map[string]string{
		"OpenAI":               fake("sk-", "proj-"+rest),
		"Anthropic":            fake("sk-", "ant-api03-"+rest),
		"GitHub":               fake("gh", "p_"+rest),
		"GitHub OAuth":         fake("gh", "o_"+rest),
		"GitHub, fine-grained": fake("github", "_pat_11ABC_"+rest),
		"GitLab":               fake("gl", "pat-"+rest),
		"AWS":                  fake("AK", "IAIOSFODNN7EXAMPLE"),
		"Google":               fake("AI", "za"+rest),
		"Slack":                fake("xo", "xb-1234567890-"+rest),
		"Stripe":               fake("sk", "_live_"+rest),
		"npm":                  fake("np", "m_"+rest),
		"PyPI":                 fake("py", "pi-"+rest),
		"Hugging Face":         fake("h", "f_"+rest),
		"JSON web token":       fake("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
		"rolecall":             fake("r", "k_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop"),
		"rolecall attempt":     fake("r", "a_abcdefghijklmnop.qrstuvwxyz-234567_abcdef"),
		"private key":          "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + rest + "\n" + rest + "==\n-----END RSA PRIVATE KEY-----",
	}
}

func TestTheCommonFormatsAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	r := redact.Default()
	for name, secret := range secrets() {
		for _, around := range []string{"%", "use % now", `{"x":"%"}`, `"%"`, "(%)", "x=%&y=1", "KEY_%", "line\n%\nline", "%,%", "% %"} {
			text := strings.ReplaceAll(around, "%", secret)
			got := r.String(text)
			if strings.Contains(got, secret) || strings.Contains(got, "c3D4e5F6") || strings.Contains(got, "dBjftJeZ4CVP") || !strings.Contains(got, redact.Marker) {
				t.Errorf("%s in %q: %q", name, around, got)
			}
			if strings.HasPrefix(around, "use") && got != "use "+redact.Marker+" now" {
				t.Errorf("%s: more than the secret is gone: %q", name, got)
			}
		}
	}
}

func TestWhatIsRedactedAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	const m = redact.Marker
	r := redact.Default()
	for text, want := range map[string]string{
		"Authorization: Bearer abc123def":                                   "Authorization: Bearer " + m,
		"authorization: Basic dXNlcjpwYXNz":                                 "authorization: Basic " + m,
		`-H "Authorization: token abcd1234"`:                                `-H "Authorization: token ` + m + `"`,
		"send Bearer abcdef123456 with it":                                  "send Bearer " + m + " with it",
		"password=hunter2":                                                  "password=" + m,
		"DB_PASSWORD=hunter2 make":                                          "DB_PASSWORD=" + m + " make",
		"api_key=abcd-efgh&x=1":                                             "api_key=" + m + "&x=1",
		"https://x.example/?token=abcdefgh&y=2":                             "https://x.example/?token=" + m + "&y=2",
		`"apiKey": "correct horse battery"`:                                 `"apiKey": "` + m + `"`,
		`client_secret = 'it is secret'`:                                    `client_secret = '` + m + `'`,
		`{\"password\":\"hunter2\",\"user\":\"joe\"}`:                       `{\"password\":\"` + m + `\",\"user\":\"joe\"}`,
		"password: hunter2 and so on":                                       "password: " + m + " and so on",
		"user: joe\npassword: supersecret\nport: 1":                         "user: joe\npassword: " + m + "\nport: 1",
		"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY":            "aws_secret_access_key = " + m,
		"postgres://joe:hunter2@db:5432/x":                                  "postgres://joe:" + m + "@db:5432/x",
		"postgres://joe:p@ss@db/x":                                          "postgres://joe:" + m + "@db/x",
		"https://abcdefghijklmnop1234@github.com/x":                         "https://" + m + "@github.com/x",
		"tail of a key\nMIIEowAbC\nq1w2e3==\n-----END PRIVATE KEY-----\nok": "tail of a key\n" + m + "\nok",
		"-----BEGIN PRIVATE KEY-----\nMIIEowAbCdEf1234567 and no more":      m + " and no more",
		"starts with -----BEGIN PRIVATE KEY-----. Now implement it":         "starts with " + m + ". Now implement it",
		"DB_PASS=hunter2":                                                   "DB_PASS=" + m,
		"SMTP_PASS: hunter2":                                                "SMTP_PASS: " + m,
		"mysql --password hunter2x":                                         "mysql --password " + m,
		"--token abcdef123456 --x":                                          "--token " + m + " --x",
		"curl -s -u joe:hunter2 http://x":                                   "curl -s -u joe:" + m + " http://x",
		"<password>hunter2</password>":                                      "<password>" + m + "</password>",
		"githubToken=abc123def456":                                          "githubToken=" + m,
		"Cookie: sessionid=abcdef123456; csrf=zyx987":                       "Cookie: " + m,
		fake("SG", ".abcdefghijklmnopqrst.abcdefghijklmno1"):                m,
		fake("gs", "k_abcdefghijklmnopqrstuvwxyz0123456789"):                m,
		"password=${A}real123":                                              "password=" + m,
		"password=$hunter2":                                                 "password=" + m,
		"password=<hunter2":                                                 "password=" + m,
		"api_key = a1B2c3D4e5F6g7H8":                                        "api_key = " + m,
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
	for _, text := range []string{
		"", " ", "Implement user authentication", "task-implement-user-authentication-now", "Add password: reset flow for users",
		"password=$DB_PASSWORD", "password=${DB_PASSWORD}", "apiKey = config.apiKey", "apiKey=os.Getenv(\"X\")", `password: "<your password>"`,
		"tokensUsed=12345", "maxTokens: 4096", "PWD=/home/joe", "git@github.com:joe/x.git", "https://github.com/joe/x", "http://127.0.0.1:3009/v1/tasks",
		"018f4e6a-1111-7222-8333-444455556666", "the bearer of good news", "Bearer tokens are read from the header", "[redacted]", "token: none",
		"commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "see sk-SK.json", "login(password=password)",
		"password: '$${{ secrets.DB }}'", "PASSWORD=$${{secrets.DB}}", "Cookie: session=${{ secrets.A }}; csrf=$CSRF_1; Path=/admin", "Set-Cookie: Path=/admin; session=",
	} {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestSecretsAsAnEnvironmentHasThem are found also where they sound like names.
func TestSecretsAsAnEnvironmentHasThem(t *testing.T) {
	t.Parallel()
	r := redact.Default()
	for _, text := range []string{
		"POSTGRES_PASSWORD=my_password_2024", "POSTGRES_PASSWORD=password1", "ADMIN_PASSWORD=Password123!", "API_KEY=key_1234567890123456",
		"api_key=key_AbCdEfGhIjKlMnOpQrSt", "export SECRET_KEY=prod_secret_key_77", "APP_SECRET=MySecret1", "password: Secret2024", "AUTH_TOKEN=token_5",
		"API_KEY=live.key_8841", "DB_PASSWORD=secret_word", "password=my_password_2024", "a: 1\nAPI_KEY: key_1234567890123456\n", "SECRET_KEY=key_[12]",
	} {
		at := strings.LastIndexAny(text[:len(text)-1], "=: ") + 1
		if got := strings.TrimSpace(r.String(text)); got != text[:at]+redact.Marker {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"API_KEY=$MY_KEY2", "API_KEY=$(cat key_22)", "API_KEY=load_key_22(1)", "PASSWORD=password", "API_KEY = my_key_22", "token=tokens[12]"} {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestPatternsOfOnesOwn(t *testing.T) {
	t.Parallel()
	r, err := redact.New(`ACME-\d+`, `employee (\w+)`)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.String("ACME-17 of employee joe, password=hunter2"); got != "[redacted] of employee [redacted], password=[redacted]" {
		t.Errorf("%q", got)
	}
	if got := r.String(r.String("ACME-17 ACME-18")); got != "[redacted] [redacted]" {
		t.Errorf("%q", got)
	}
	everything, err := redact.New(`[a-z]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := everything.String("a [redacted] b"); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("a pattern that matches the marker: %q", got)
	}
}

func TestASettingThatCanNotBeUsedIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ setting, want string }{
		"no regular expression": {"ACME;;hunter2(", "pattern 2 is not a regular expression: missing closing )"},
		"matches nothing":       {"(?:hunter2)*", "pattern 1 matches nothing at all"},
		"too long":              {strings.Repeat("hunter2", 1000), "pattern 1 is longer than 4096 bytes"},
		"too many":              {strings.Repeat("hunter2\n", 51), "51 patterns are more than the 50"},
		"two faults":            {"hunter2(\nok\nhunter2[", "pattern 3 is not"},
	} {
		r, err := redact.Parse(tc.setting)
		if err == nil || r != nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const text = "ACME-1 EMCA-2 password=hunter2"
	for setting, want := range map[string]string{
		"":                       "ACME-1 EMCA-2 password=[redacted]",
		"off\n":                  text,
		`ACME-\d`:                "[redacted] EMCA-2 password=[redacted]",
		"ACME-\\d\n\nEMCA-\\d\n": "[redacted] [redacted] password=[redacted]",
		`ACME-\d;;EMCA-\d`:       "[redacted] [redacted] password=[redacted]",
	} {
		r, err := redact.Parse(setting)
		if err != nil {
			t.Errorf("%q: %v", setting, err)
		}
		if got := r.String(text); got != want {
			t.Errorf("%q: %q", setting, got)
		}
	}
}

func TestAStreamRedactsWhatComesInPieces(t *testing.T) {
	t.Parallel()
	for name, secret := range secrets() {
		for size := 1; size < 12; size += 3 {
			s := redact.Default().Stream()
			text := "before " + secret + " after, Authorization: Bearer abc123def456 and the end"
			var out strings.Builder
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				out.WriteString(s.Add(rest[:n]))
				rest = rest[n:]
			}
			out.WriteString(s.Flush())
			want := "before [redacted] after, Authorization: Bearer [redacted] and the end"
			if got := out.String(); got != want && name != "private key" {
				t.Errorf("%s in pieces of %d: %q", name, size, got)
			} else if strings.Contains(got, "c3D4e5") {
				t.Errorf("%s in pieces of %d: %q", name, size, got)
			}
		}
	}
	s := redact.Default().Stream()
	if got := s.Add("héllo wör") + "|" + s.Add("ld ") + "|" + s.Add("password: ") + "|" + s.Add("hunter2") + "|" + s.Flush() + "|" + s.Flush(); got != "héllo |wörld |password: ||[redacted]|" {
		t.Errorf("%q", got)
	}
	if got := redact.Default().Stream().Add(strings.Repeat("x", 5000)); len(got) != 5000 {
		t.Errorf("a word without end is held back: %d bytes", len(got))
	}
	off := (*redact.Redactor)(nil).Stream()
	if got := off.Add("sk") + off.Flush(); got != "sk" {
		t.Errorf("%q", got)
	}
}

func FuzzStringIsSettled(f *testing.F) {
	for _, s := range secrets() {
		f.Add("x " + s + " y=" + s)
	}
	f.Add("password=password=secret: token=[redacted]x Authorization: Bearer ://a:b@c@d")
	f.Add(`"password": "a\"b" 'secret'='x' [redacted[redacted]`)
	own, err := redact.New(`a+b`, `red(act)?`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range []*redact.Redactor{redact.Default(), own} {
			once := r.String(text)
			if twice := r.String(once); twice != once {
				t.Errorf("%q\nonce  %q\ntwice %q", text, once, twice)
			}
			for piece := range strings.SplitSeq(once, redact.Marker) {
				if clean := r.String(piece); clean != piece {
					t.Errorf("%q leaves %q, which is %q", text, piece, clean)
				}
			}
		}
	})
}

func BenchmarkString(b *testing.B) {
	r := redact.Default()
	for name, text := range map[string]string{
		"a message":          "Running the tests of package workers, 12 of 40 done",
		"512 KiB of prose":   strings.Repeat("Write the handler, then the test of it. ", 512<<10/40),
		"512 KiB of names":   strings.Repeat("the password: is asked for; the token is ", 512<<10/41),
		"512 KiB of secrets": strings.Repeat("password=hunter2 api_key: \"abc def\" and  ", 512<<10/42),
		"512 KiB of one":     strings.Repeat("password:", 512<<10/9),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.String(text)
			}
		})
	}
}

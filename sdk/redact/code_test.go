package redact_test

import (
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// Code is what agents are given to read, and what is wrong in it they must see.
func TestCodeIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	r := redact.Default()
	for _, code := range []string{
		// Python
		"token = self.tokens[self.pos]", "token = next_token", "f(token=next_token, x=1)", "login(user, password=user_password)",
		"secret = settings.AWS_S3_SECRET", `password = request.form["password"]`, "password_confirm = password2", "self.password = password1",
		"SECRET_KEY = os.environ.get('X')", "assert token == 'abc'", "return token=tokens[0]", "session_token = Column(String)",
		"def login(user: str, password: str = None) -> Token:\n    secret = load_secret(user)\n",
		// Go
		"token := lexer.next", "cfg.APIKey = flags.apiKey", "case token: foo", "Password string `json:\"password\"`", "if token != want.token {\n",
		"return &Client{token: c.token, apiKey: cfg.APIKey2}",
		// JavaScript and TypeScript
		"const apiKey = env.API_KEY2", "interface X {\n  password: string\n  token: Token\n  secret: Secret[]\n}", "apiKey: string\n",
		`fetch(u,{credentials:"include"})`, "credentials: 'same-origin'", "const { token } = await next();\nsession.token = nextToken\n",
		"accessToken = _cachedAccessToken", "clientSecret = _oauthClientSecret", "apiKey = _sharedApiKeyValue", "password = m_strUserPassword",
		"secret = ctx_getAppSecret", "privateKey: ed25519PrivateKey", "secretKey: aes256SecretKey", "secret: sha256Secret", "secret: keys[12]",
		"secretAccessKey: process.env.R2_SECRET_V2,", "clientSecret: process.env.OAUTH2_CLIENT_SECRET_V2,", "password: process.env.DB1_PASSWORD_1,",
		// GraphQL, SQL, HTML, Java, Rust, shell, Markdown
		"password: String!", "password VARCHAR(255) NOT NULL", `type="password" name="password" value="x"`, "private String password = userPassword;",
		"let token = tokens[i];", "let secret: Secret = secrets.next()?;", "token=$(cat token.txt)", `export TOKEN="${TOKEN:-}"`, "docker run -u 1000:1000 x",
		"## Password: Requirements\n", "- token: required\n", "use the --password flag to give one", "id_token: string | null\n", "auth_token: nil\n",
		"http://localhost:3000?mail=joe@x.com", "http://localhost:3000/#/a@b", "Token: identifier\n", `next_page_token: "abc"`,
	} {
		if got := r.String(code); got != code {
			t.Errorf("%q became %q", code, got)
		}
	}
}

package openai

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// DefaultBaseURL is Ollama on this machine: what is not configured leaves it nowhere.
const DefaultBaseURL = "http://127.0.0.1:11434/v1"

// maxNames bounds the providers and the models of a [Config].
const maxNames = 100

// Config says which endpoint is asked, and for what. The zero value asks Ollama on this machine for the models that stages name.
type Config struct {
	// BaseURL is the endpoint: what stands before /chat/completions. Default: StandardBaseURL.
	BaseURL string `env:"ROLECALL_OPENAI_BASE_URL" doc:"The OpenAI-compatible endpoint of the openai adapter: what stands before /chat/completions, such as https://api.openai.com/v1. Empty: OPENAI_BASE_URL, and where a key is set one of them has to be."`
	// StandardBaseURL is used where BaseURL is empty. Default: [DefaultBaseURL]; with a key there is none.
	StandardBaseURL string `env:"OPENAI_BASE_URL" doc:"The endpoint of the openai adapter where ROLECALL_OPENAI_BASE_URL is empty. Empty: Ollama on this machine, http://127.0.0.1:11434/v1."`
	// APIKey is sent as a bearer token. Default: StandardAPIKey.
	APIKey string `env:"ROLECALL_OPENAI_API_KEY" secret:"true" json:"-" doc:"The API key of the openai adapter's endpoint. Empty: OPENAI_API_KEY."`
	// StandardAPIKey is used where APIKey is empty. Default "": no key is sent.
	StandardAPIKey string `env:"OPENAI_API_KEY" secret:"true" json:"-" doc:"The API key of the openai adapter's endpoint where ROLECALL_OPENAI_API_KEY is empty. Empty: no key is sent."`
	// Model is used where a task's stage names none, or a provider alone. Default "": every stage has to name one.
	Model string `env:"ROLECALL_OPENAI_MODEL" doc:"The openai adapter's model where a task's stage names none, or the endpoint alone, such as ollama. Empty: every stage has to name one."`
	// Providers are names for the endpoint. Where a stage's model begins with one of them and a slash, the endpoint is asked for what stands
	// behind it; one alone is Model. Any other name is asked for as it is, with its slashes.
	Providers []string `env:"ROLECALL_OPENAI_PROVIDERS" envDefault:"ollama" doc:"Names for the openai adapter's endpoint, comma-separated. Of a stage's model that begins with one and a slash (ollama/qwen3:8b) the endpoint is asked for what stands behind it; one alone is ROLECALL_OPENAI_MODEL. Any other name is asked for as it is."`
	// Models are what the endpoint calls models that stages name otherwise; they go before Providers. Default none.
	Models map[string]string `env:"ROLECALL_OPENAI_MODELS" envKeyValSeparator:"=" doc:"What the openai adapter's endpoint calls models that stages name otherwise, as name=name pairs, comma-separated: claude-sonnet-4=anthropic/claude-sonnet-4. They go before ROLECALL_OPENAI_PROVIDERS."`
	// Redact says what secrets look like that are taken out of what is learned from an answer, as [redact.Parse] reads it. That goes before it is
	// cut to length. Default "": the common formats.
	Redact string `env:"ROLECALL_REDACT" secret:"true" json:"-" doc:"What is taken out of prompts, progress, errors, live output, events and logs before they are stored. Empty: the common formats of keys and passwords. off: nothing. Else regular expressions beside those, separated by newlines or ;;."`
}

// withDefaults answers the config with its defaults filled in, or every fault of it at once. No fault repeats a key.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	c.APIKey, c.BaseURL = cmp.Or(c.APIKey, c.StandardAPIKey), cmp.Or(c.BaseURL, c.StandardBaseURL)
	if strings.ContainsFunc(c.APIKey, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		fault("the API key must be one word: look for a space or a line's end (ROLECALL_OPENAI_API_KEY or OPENAI_API_KEY)")
	}
	if c.BaseURL == "" && c.APIKey != "" {
		fault("an API key is set, and not where it belongs: set ROLECALL_OPENAI_BASE_URL or OPENAI_BASE_URL, such as https://api.openai.com/v1; for Ollama on this machine %s", DefaultBaseURL)
	}
	c.BaseURL = cmp.Or(c.BaseURL, DefaultBaseURL)
	if !usable(c.BaseURL) {
		fault("ROLECALL_OPENAI_BASE_URL or OPENAI_BASE_URL must be an http or https address without user, query and fragment, such as %s", DefaultBaseURL)
	}
	if len(c.Model) > sdk.MaxModel {
		fault("ROLECALL_OPENAI_MODEL must be a model's name of at most %d bytes", sdk.MaxModel)
	}
	if len(c.Providers) > maxNames || len(c.Models) > maxNames {
		fault("ROLECALL_OPENAI_PROVIDERS and ROLECALL_OPENAI_MODELS hold at most %d names each", maxNames)
	}
	for _, p := range c.Providers {
		if p == "" || strings.Contains(p, "/") {
			fault("ROLECALL_OPENAI_PROVIDERS: %q must be a name without a slash", p)
		}
	}
	for name, model := range c.Models {
		if name == "" || model == "" || len(model) > sdk.MaxModel {
			fault("ROLECALL_OPENAI_MODELS: %q=%q must be two names of at most %d bytes", name, model, sdk.MaxModel)
		}
	}
	if _, err := redact.Parse(c.Redact); err != nil {
		fault("ROLECALL_REDACT: %w", err)
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("openai agent: %w", err)
	}
	return c, nil
}

// usable reports whether an address can be an endpoint's.
func usable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

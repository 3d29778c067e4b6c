package pi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// model is what pi is asked for by a stage's model: what the config calls it, or the name as it is; a provider alone, and no name, is the config's
// own. "" is pi's default.
func (c Config) model(asked string) (string, error) {
	if name := c.Models[asked]; name != "" {
		return name, nil
	}
	provider := strings.TrimSuffix(asked, "/")
	if provider == "" || provider == c.Provider || slices.Contains(c.Providers, provider) {
		return c.Model, nil
	}
	if strings.HasPrefix(asked, "-") {
		return "", sdk.Final("", fmt.Errorf("%q is no model's name: it begins with a dash", asked))
	}
	return asked, nil
}

// checkNames says what is wrong with the models, the providers and the tools that are named.
func (c Config) checkNames() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if strings.HasPrefix(c.Provider, "-") {
		fault("ROLECALL_PI_PROVIDER: %q is no provider's name", c.Provider)
	}
	if !usable(c.Model) {
		fault("ROLECALL_PI_MODEL must be a model's name of at most %d bytes", sdk.MaxModel)
	}
	if len(c.Models) > maxNames || len(c.Providers) > maxNames || len(c.Tools) > maxNames {
		fault("ROLECALL_PI_MODELS, ROLECALL_PI_PROVIDERS and ROLECALL_PI_TOOLS hold at most %d names each", maxNames)
	}
	for name, model := range c.Models {
		if name == "" || model == "" || !usable(model) {
			fault("ROLECALL_PI_MODELS: %q=%q must be two names of at most %d bytes", name, model, sdk.MaxModel)
		}
	}
	for _, p := range c.Providers {
		if p == "" || strings.Contains(p, "/") {
			fault("ROLECALL_PI_PROVIDERS: %q must be a name without a slash", p)
		}
	}
	if slices.Contains(c.Tools, "") {
		fault("ROLECALL_PI_TOOLS: a name is empty")
	}
	return errors.Join(faults...)
}

// usable reports whether a model's name can be an argument.
func usable(model string) bool { return !strings.HasPrefix(model, "-") && len(model) <= sdk.MaxModel }

package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// setting is a variable with its present value. Secrets are never shown.
type setting struct {
	variable
	Set   bool   `json:"set"`
	Value string `json:"value"`
}

func envCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "List every environment variable with its default, its meaning and its present value",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			settings := settingsOf(variables(), os.LookupEnv) //nolint:forbidigo // the values are shown here, and used where a Config is parsed
			if c.json {
				return c.printJSON(settings)
			}
			return c.printf("%s", settingsText(settings))
		},
	}
}

func settingsOf(all []variable, lookup func(string) (string, bool)) []setting {
	out := make([]setting, len(all))
	for i, v := range all {
		out[i] = setting{variable: v, Value: v.Default}
		if value, ok := lookup(v.Name); ok && value != "" {
			out[i].Set, out[i].Value = true, redacted(v, value)
		}
	}
	return out
}

// redacted is a value that may be shown, one by one where it is a comma-separated list.
func redacted(v variable, value string) string {
	if v.Secret {
		return "(hidden)"
	}
	list := strings.Split(value, ",")
	for i, one := range list {
		u, err := url.Parse(one)
		if err != nil || u.User == nil {
			continue
		}
		if _, ok := u.User.Password(); !ok {
			u.User = url.User("xxxxx") // a token of NATS
		}
		list[i] = u.Redacted()
	}
	return strings.Join(list, ",")
}

func settingsText(settings []setting) string {
	var b strings.Builder
	for _, s := range settings {
		value := printable(s.Value, false)
		switch {
		case s.Set:
			value += "   (set)"
		case value == "":
			value = "(none)"
		}
		fmt.Fprintf(&b, "%s = %s\n    %s\n    ", s.Name, value, s.Doc)
		if s.Set && s.Default != "" {
			fmt.Fprintf(&b, "Default %s. ", s.Default)
		}
		fmt.Fprintf(&b, "Read by: %s.\n", strings.Join(s.UsedBy, ", "))
	}
	return b.String()
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// keysWait bounds the wait for another process that changes the file.
const keysWait = 30 * time.Second

// keysConfig says where the keys are.
type keysConfig struct {
	File string `env:"ROLECALL_KEYS_FILE" doc:"The file of API keys, made by rolecall keys create. Empty: no keys, and callers on this machine only."`
}

func keysCommand(c *console) *cobra.Command {
	return group(&cobra.Command{
		Use:   "keys",
		Short: "Make, list and revoke API keys",
		Long: `Make, list and revoke API keys, in the file that ROLECALL_KEYS_FILE names. rolecall serve reads the same file and takes a change over
within about a second.`,
	}, keysCreateCommand(c), keysListCommand(c), keysRevokeCommand(c))
}

// keysFile is the file that the environment names.
func keysFile() (string, error) {
	var cfg keysConfig
	if err := readEnvironment(&cfg); err != nil {
		return "", err
	}
	if cfg.File == "" {
		return "", usagef("set ROLECALL_KEYS_FILE to the file of the keys, the same for rolecall keys and rolecall serve")
	}
	return cfg.File, nil
}

func keysCreateCommand(c *console) *cobra.Command {
	var r keys.Request
	var scopes []string
	cmd := &cobra.Command{
		Use:   "create --organization <name> --project <name>[,<name>]",
		Short: "Make an API key and print it, this once",
		Long: `Make an API key and print it, this once: the file keeps only a hash of it. A project belongs to one organization for good.

Scopes: read (look at things), delegate (tasks), work (be an agent), publish (events), admin.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Organization == "" || len(r.Projects) == 0 {
				return usagef("keys create needs --organization and --project")
			}
			if cmd.Flags().Changed("scope") && len(scopes) == 0 {
				return usagef("--scope names none: name some, or leave it out for all but admin")
			}
			for _, s := range scopes {
				r.Scopes = append(r.Scopes, keys.Scope(s))
			}
			path, err := keysFile()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), keysWait)
			defer cancel()
			secret, made, err := keys.Create(ctx, path, r)
			if errors.Is(err, sdk.ErrInvalidInput) {
				return err
			}
			if err != nil && !errors.Is(err, keys.ErrMayNotLast) {
				return fmt.Errorf("no key was made: %w", err)
			}
			return errors.Join(c.showKey(secret, made), err)
		},
	}
	cmd.Flags().StringVar(&r.Organization, "organization", "", "the organization of the key")
	cmd.Flags().StringSliceVar(&r.Projects, "project", nil, "the projects of the key, comma-separated")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do, comma-separated (default all but admin)")
	cmd.Flags().StringVar(&r.Name, "name", "", "what it is for, for people")
	return cmd
}

// showKey prints a key that was just made.
func (c *console) showKey(secret string, made keys.Key) error {
	if c.json {
		return c.printJSON(struct {
			Key string `json:"key"`
			keyShown
		}{secret, shown(made)})
	}
	c.note("Key %s of organization %s, for %s. This is the only time it is shown:", made.ID, made.Organization, strings.Join(made.Projects, ", "))
	return c.printf("%s\n", secret)
}

// keyShown is a key as it is listed: without its hash.
type keyShown struct {
	ID           string       `json:"id"`
	Name         string       `json:"name,omitempty"`
	Organization string       `json:"organization"`
	Projects     []string     `json:"projects"`
	Scopes       []keys.Scope `json:"scopes"`
	CreatedAt    time.Time    `json:"createdAt"`
	RevokedAt    *time.Time   `json:"revokedAt,omitempty"`
}

func shown(k keys.Key) keyShown {
	return keyShown{k.ID, k.Name, k.Organization, k.Projects, k.Scopes, k.CreatedAt, k.RevokedAt}
}

func keysListCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API keys, revoked ones too",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			path, err := keysFile()
			if err != nil {
				return err
			}
			all, err := keys.Read(path)
			if err != nil {
				return err
			}
			list := make([]keyShown, len(all))
			for i, k := range all {
				list[i] = shown(k)
			}
			if c.json {
				return c.printJSON(struct {
					Items []keyShown `json:"items"`
				}{list})
			}
			return c.printf("%s", keysText(list))
		},
	}
}

func keysText(list []keyShown) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) } // a strings.Builder takes everything
	row("ID", "ORGANIZATION", "PROJECTS", "SCOPES", "CREATED", "STATE", "NAME")
	for _, k := range list {
		state := "active"
		if k.RevokedAt != nil {
			state = "revoked " + k.RevokedAt.Format(time.DateOnly)
		}
		scopes := make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			scopes[i] = string(s)
		}
		row(k.ID, k.Organization, strings.Join(k.Projects, ","), printable(strings.Join(scopes, ","), false), k.CreatedAt.Format(time.DateOnly), state, cmp.Or(printable(k.Name, false), "-"))
	}
	_ = table.Flush()
	return b.String()
}

func keysRevokeCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke <id>",
		Short: "End an API key",
		Long:  "End an API key: a running server refuses it within about a second. Tasks that it created go on. A key that is revoked stays as it is.",
		Args:  arguments("key id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := keysFile()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), keysWait)
			defer cancel()
			revoked, err := keys.Revoke(ctx, path, args[0])
			if err != nil && !errors.Is(err, keys.ErrMayNotLast) {
				return err
			}
			if c.json {
				return errors.Join(c.printJSON(shown(revoked)), err)
			}
			return errors.Join(c.printf("%s is revoked since %s\n", revoked.ID, revoked.RevokedAt.Format(time.RFC3339)), err)
		},
	}
}

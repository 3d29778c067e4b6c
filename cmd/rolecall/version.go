package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this binary was built from.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			v := builtFrom(debug.ReadBuildInfo())
			if c.json {
				return c.printJSON(v)
			}
			text := "rolecall " + v.Version
			if v.Revision != "" {
				text += " (" + v.Revision
				if v.Modified {
					text += ", modified"
				}
				text += ")"
			}
			return c.printf("%s %s %s\n", text, v.Go, v.Platform)
		},
	}
}

// builtFrom reads the version that the Go tool has stamped.
func builtFrom(info *debug.BuildInfo, ok bool) version {
	v := version{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// readiness is what a program that started this one reads: as a line of JSON (--json) or a file (--ready-file).
type readiness struct {
	TemporalAddr string `json:"temporalAddr,omitempty"`
	UIURL        string `json:"uiUrl,omitempty"`
	EventsURL    string `json:"eventsUrl,omitempty"` // of an event log that runs alone
	APIURL       string `json:"apiUrl,omitempty"`
	MetricsURL   string `json:"metricsUrl,omitempty"`
	PID          int    `json:"pid"`
}

// announce tells the person or program that waits that everything is up.
func (r readiness) announce(f flags, c Config, stdout io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("readiness: %w", err)
	}
	line = append(line, '\n')
	if f.readyFile != "" {
		if err := writeWhole(f.readyFile, line); err != nil {
			return fmt.Errorf("ready file: %w", err)
		}
	}
	if f.json {
		_, err = stdout.Write(line)
		return err
	}
	_, err = io.WriteString(stdout, r.text(c))
	return err
}

func (r readiness) text(c Config) string {
	out := "\nrolecall is ready.\n\n"
	if r.APIURL != "" {
		out += fmt.Sprintf("  API          %s\n  API docs     %s/docs\n", r.APIURL, r.APIURL)
	}
	if r.MetricsURL != "" {
		out += fmt.Sprintf("  Metrics      %s\n", r.MetricsURL)
	}
	if r.TemporalAddr != "" {
		out += fmt.Sprintf("  Temporal     %s\n  Temporal UI  %s\n", r.TemporalAddr, r.UIURL)
	}
	if r.EventsURL != "" {
		out += fmt.Sprintf("  Event log    %s\n", r.EventsURL)
	}
	return out + fmt.Sprintf("  Data         %s\n\nCtrl-C stops it.\n", c.DataDir)
}

// writeWhole lets a reader see the whole content or no file.
func writeWhole(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

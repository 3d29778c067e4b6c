// Package realpi finds the pi coding agent that make installs, and gives it a scripted model in place of its own configuration.
package realpi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Provider is the one provider of the configuration.
const Provider = "scripted"

// Program is the path of pi in .rolecall/agents of the repository.
func Program(root string) (string, error) {
	path := filepath.Join(root, ".rolecall", "agents", "node_modules", ".bin", "pi")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the pi coding agent is not installed: make agents-test and make demo AGENT=pi install it with npm: %w", err)
	}
	return path, nil
}

// price is what a model costs, in dollars a million tokens.
type price struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cacheRead"`
	CacheWrite float64 `json:"cacheWrite"`
}

type model struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Input         []string `json:"input"`
	Cost          price    `json:"cost"`
	ContextWindow int      `json:"contextWindow"`
	MaxTokens     int      `json:"maxTokens"`
}

type provider struct {
	BaseURL string  `json:"baseUrl"`
	API     string  `json:"api"`
	APIKey  string  `json:"apiKey"`
	Models  []model `json:"models"`
}

// Configure writes pi's own configuration into dir, its PI_CODING_AGENT_DIR: the provider "scripted" with these models, all served at
// url, which ends in /v1. A request that failed is repeated once, after a tenth of a second.
func Configure(dir, url string, models ...string) error {
	p := provider{BaseURL: url, API: "openai-completions", APIKey: "none"}
	for _, id := range models {
		p.Models = append(p.Models, model{
			ID: id, Name: id, Input: []string{"text"}, ContextWindow: 128_000, MaxTokens: 4096,
			Cost: price{Input: 3, Output: 15, CacheRead: 0.3, CacheWrite: 3.75},
		})
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pi's configuration: %w", err)
	}
	for name, content := range map[string]any{
		"models.json": map[string]any{"providers": map[string]provider{Provider: p}},
		"settings.json": map[string]any{"retry": map[string]any{
			"enabled": true, "maxRetries": 1, "baseDelayMs": 100, "provider": map[string]any{"maxRetries": 0},
		}},
	} {
		raw, err := json.MarshalIndent(content, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), raw, 0o600)
		}
		if err != nil {
			return fmt.Errorf("pi's configuration: %w", err)
		}
	}
	return nil
}

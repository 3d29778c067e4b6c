package keys

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Scope is something a key may do.
type Scope string

// The scopes. A key has all but admin unless it is made with others.
const (
	ScopeRead     Scope = "read"     // look at things
	ScopeDelegate Scope = "delegate" // tasks, sessions and plans
	ScopeWork     Scope = "work"     // be an agent: register, take work, report
	ScopePublish  Scope = "publish"  // publish events
	ScopeAdmin    Scope = "admin"
)

// Scopes are all there are.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeDelegate, ScopeWork, ScopePublish, ScopeAdmin}
}

// DefaultScopes are those of a key that is made without naming any.
func DefaultScopes() []Scope {
	return []Scope{ScopeRead, ScopeDelegate, ScopeWork, ScopePublish}
}

// The bounds of a file.
const (
	MaxKeys     = 10_000
	MaxProjects = 100 // of one key
	MaxName     = 200 // bytes
)

// Key is an API key as the file has it. A reader leaves fields alone that it does not know.
type Key struct {
	ID           string     `json:"id"`
	Name         string     `json:"name,omitempty"`
	Organization string     `json:"organization"`
	Projects     []string   `json:"projects"`
	Scopes       []Scope    `json:"scopes"`
	Hash         string     `json:"hash"` // SHA-256 of the key, in hexadecimal
	CreatedAt    time.Time  `json:"createdAt"`
	RevokedAt    *time.Time `json:"revokedAt,omitempty"`

	rest map[string]json.RawMessage
}

// May reports whether the key has a scope.
func (k Key) May(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Revoked reports whether the key has been revoked.
func (k Key) Revoked() bool { return k.RevokedAt != nil }

// UnmarshalJSON keeps what it does not know.
func (k *Key) UnmarshalJSON(raw []byte) (err error) {
	type plain Key
	if err := json.Unmarshal(raw, (*plain)(k)); err != nil {
		return err
	}
	k.rest, err = unknownFields[plain](raw)
	return err
}

// MarshalJSON writes what was not known back.
func (k Key) MarshalJSON() ([]byte, error) {
	type plain Key
	return withFields(plain(k), k.rest)
}

// fault says what is wrong with a key of a file; "" is nothing.
func (k Key) fault() string {
	switch {
	case !sdk.ValidID(k.ID) || len(k.ID) > sdk.MaxFairnessKey:
		return fmt.Sprintf("id must start with a letter or digit and hold at most %d of A-Z, a-z, 0-9, _ and -", sdk.MaxFairnessKey)
	case !sdk.ValidProject(k.Organization):
		return "organization " + nameRule
	case len(k.Projects) == 0:
		return "projects names none"
	case len(k.Projects) > MaxProjects:
		return fmt.Sprintf("projects names more than %d", MaxProjects)
	case len(k.Name) > MaxName:
		return fmt.Sprintf("name is longer than %d bytes", MaxName)
	}
	for i, p := range k.Projects {
		if !sdk.ValidProject(p) {
			return fmt.Sprintf("project %q %s", sdk.Cut(p, 70), nameRule)
		}
		if slices.Contains(k.Projects[:i], p) {
			return fmt.Sprintf("project %s is named twice", p)
		}
	}
	if sum, err := hex.DecodeString(k.Hash); err != nil || len(sum) != hashSize {
		return "hash must be a SHA-256 in 64 hexadecimal digits"
	}
	return ""
}

const nameRule = "must start with a lower-case letter or digit and hold at most 63 of a-z, 0-9, _ and -"

package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func mustCreate(t *testing.T, path, organization string, projects ...string) (string, Key) {
	t.Helper()
	secret, made, err := Create(t.Context(), path, Request{Organization: organization, Projects: projects})
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

func mustRead(t *testing.T, path string) []Key {
	t.Helper()
	all, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCreateAndRevoke(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	secret, made := mustCreate(t, path, "acme", "shop", "till")
	other, _ := mustCreate(t, path, "acme", "shop")
	if !strings.HasPrefix(secret, Prefix) || len(secret) < 50 || secret == other {
		t.Errorf("the keys are %d characters long, alike: %v", len(secret), secret == other)
	}
	if diff := cmp.Diff(DefaultScopes(), made.Scopes); diff != "" || made.May(ScopeAdmin) || !made.May(ScopeWork) {
		t.Errorf("scopes: %s", diff)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), strings.TrimPrefix(secret, Prefix)) {
		t.Error("the file holds the key itself")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if found, ok := newSet(mustRead(t, path)).find(secret); !ok || found.ID != made.ID || found.Organization != "acme" {
		t.Errorf("found %+v %v", found, ok)
	}
	for _, wrong := range []string{"", Prefix, secret + "a", secret[:len(secret)-1], strings.ToUpper(secret), made.Hash, made.ID} {
		if _, ok := newSet(mustRead(t, path)).find(wrong); ok {
			t.Errorf("%.12q… is taken", wrong)
		}
	}
	first, err := Revoke(t.Context(), path, made.ID)
	if err != nil || !first.Revoked() {
		t.Fatalf("%+v %v", first, err)
	}
	again, err := Revoke(t.Context(), path, made.ID)
	if err != nil || !again.RevokedAt.Equal(*first.RevokedAt) {
		t.Errorf("%+v %v", again, err)
	}
	now := newSet(mustRead(t, path))
	if _, ok := now.find(secret); ok {
		t.Error("a revoked key is taken")
	}
	if _, ok := now.find(other); !ok {
		t.Error("the other key is not taken any more")
	}
	if _, err := Revoke(t.Context(), path, "key_nobody"); !errors.Is(err, ErrNoKey) {
		t.Errorf("%v", err)
	}
	if _, err := Revoke(t.Context(), path+"x", made.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	_, owner := mustCreate(t, path, "acme", "shop")
	if _, err := Revoke(t.Context(), path, owner.ID); err != nil {
		t.Fatal(err)
	}
	before := mustRead(t, path)
	for name, tc := range map[string]struct {
		request Request
		says    string
	}{
		"no organization":                  {Request{Projects: []string{"a"}}, "organization must"},
		"organization with a dot":          {Request{Organization: "a.b", Projects: []string{"a"}}, "organization must"},
		"no project":                       {Request{Organization: "acme"}, "projects"},
		"project in capitals":              {Request{Organization: "acme", Projects: []string{"Shop"}}, `project "Shop" must`},
		"a project twice":                  {Request{Organization: "acme", Projects: []string{"a", "a"}}, "twice"},
		"unknown scope":                    {Request{Organization: "acme", Projects: []string{"a"}, Scopes: []Scope{"root"}}, `"root" is no scope`},
		"no scope":                         {Request{Organization: "acme", Projects: []string{"a"}, Scopes: []Scope{}}, "scopes names none"},
		"a scope twice":                    {Request{Organization: "acme", Projects: []string{"a"}, Scopes: []Scope{ScopeRead, ScopeRead}}, "scope read is named twice"},
		"long name":                        {Request{Organization: "acme", Projects: []string{"a"}, Name: strings.Repeat("n", MaxName+1)}, "name is longer"},
		"a revoked key's project, foreign": {Request{Organization: "evil", Projects: []string{"new", "shop"}}, "project shop belongs to organization acme"},
	} {
		_, _, err := Create(t.Context(), path, tc.request)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, mustRead(t, path), cmp.AllowUnexported(Key{})); diff != "" {
		t.Errorf("a refused key changed the file: %s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	hash := func(n int) string { return fmt.Sprintf("%064x", n) }
	key := func(id string, hash, organization, projects string) string {
		return fmt.Sprintf(`{"id":%q,"organization":%q,"projects":%s,"scopes":["read"],"hash":%q,"createdAt":"2026-01-02T03:04:05Z"}`, id, organization, projects, hash)
	}
	for name, tc := range map[string]struct{ file, says string }{
		"no JSON":           {`keys`, "invalid character"},
		"empty":             {``, "unexpected end"},
		"no keys":           {`{}`, `"keys", a list`},
		"a list":            {`[]`, "cannot unmarshal"},
		"no id":             {`{"keys":[` + key("", hash(1), "acme", `["shop"]`) + `]}`, "keys[0]: id must"},
		"an id of 65":       {`{"keys":[` + key(strings.Repeat("k", sdk.MaxFairnessKey+1), hash(1), "acme", `["shop"]`) + `]}`, "keys[0]: id must"},
		"a short hash":      {`{"keys":[` + key("a", "ab", "acme", `["shop"]`) + `]}`, "keys[0]: hash must"},
		"no project":        {`{"keys":[` + key("a", hash(1), "acme", `[]`) + `]}`, "projects names none"},
		"the same id":       {`{"keys":[` + key("a", hash(1), "acme", `["shop"]`) + `,` + key("a", hash(2), "acme", `["shop"]`) + `]}`, "keys[1]: a, or its hash, is there twice"},
		"the same hash":     {`{"keys":[` + key("a", hash(0xab), "acme", `["shop"]`) + `,` + key("b", strings.ToUpper(hash(0xab)), "acme", `["shop"]`) + `]}`, "keys[1]: b, or its hash"},
		"two organizations": {`{"keys":[` + key("a", hash(1), "acme", `["shop"]`) + `,` + key("b", hash(2), "evil", `["own","shop"]`) + `]}`, "project shop belongs to organization acme and can not belong to evil"},
	} {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(path, nil); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "rolecall keys create") {
		t.Errorf("%v", err)
	}
}

// TestUnknownFieldsStay: a file that a newer version wrote goes through this one unharmed, behind a link too.
func TestUnknownFieldsStay(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), "real.json")
	path := filepath.Join(t.TempDir(), "keys.json")
	_, made := mustCreate(t, target, "acme", "shop")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(raw), `"id":`, `"quota": {"tokens": 12345678901234567890}, "id":`, 1)
	newer = strings.Replace(newer, `"keys":`, `"issuer": ["a"], "keys":`, 1)
	if err := os.WriteFile(target, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, path, "acme", "till")
	if _, err := Revoke(t.Context(), path, made.ID); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(target); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Issuer []string
		Keys   []struct {
			ID        string
			Quota     struct{ Tokens json.Number }
			RevokedAt string
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Keys) != 2 || len(got.Issuer) != 1 || got.Keys[0].Quota.Tokens != "12345678901234567890" || got.Keys[0].RevokedAt == "" {
		t.Errorf("%+v\n%s", got, raw)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v %v", info.Mode(), err)
	}
}

func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	const many = 30
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			if _, _, err := Create(t.Context(), path, Request{Organization: "acme", Projects: []string{"shop"}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(mustRead(t, path)); got != many {
		t.Errorf("%d keys of %d", got, many)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 { // the file and its lock
		t.Errorf("left: %v %v", left, err)
	}
}

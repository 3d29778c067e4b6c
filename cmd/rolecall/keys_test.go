package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// withKeys runs the program on a keys file.
func withKeys(t *testing.T, file string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, []string{"ROLECALL_KEYS_FILE=" + file, nowhere}, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	made := withKeys(t, file, "keys", "create", "--organization", "acme", "--project", "shop,till", "--name", "the build", "--scope", "read,delegate")
	secret := strings.TrimSpace(made.stdout)
	if made.code != 0 || !strings.HasPrefix(secret, "rk_") || strings.Count(made.stdout, "\n") != 1 || strings.Contains(made.stderr, secret) {
		t.Fatalf("%+v", made)
	}
	all, err := keys.Read(file)
	if err != nil || len(all) != 1 || !slices.Equal(all[0].Scopes, []keys.Scope{keys.ScopeRead, keys.ScopeDelegate}) {
		t.Fatalf("%+v %v", all, err)
	}
	id := all[0].ID
	asJSON := withKeys(t, file, "keys", "create", "--organization", "acme", "--project", "shop", "--json")
	var second struct{ Key, ID, Organization string }
	if err := json.Unmarshal([]byte(asJSON.stdout), &second); err != nil || !strings.HasPrefix(second.Key, "rk_") || second.ID == id || second.Organization != "acme" {
		t.Errorf("%v %+v", err, asJSON)
	}
	if got := withKeys(t, file, "keys", "revoke", id); got.code != 0 || !strings.Contains(got.stdout, id+" is revoked since ") {
		t.Errorf("%+v", got)
	}
	listed := withKeys(t, file, "keys", "list")
	for _, want := range []string{id, second.ID, "acme", "shop,till", "read,delegate", "the build", "revoked 2", "active"} {
		if !strings.Contains(listed.stdout, want) {
			t.Errorf("no %q in\n%s", want, listed.stdout)
		}
	}
	both := listed.stdout + withKeys(t, file, "keys", "list", "--json").stdout
	if strings.Contains(both, secret) || strings.Contains(both, all[0].Hash) || !strings.Contains(both, `"revokedAt"`) {
		t.Errorf("listed:\n%s", both)
	}
	for name, tc := range map[string]struct {
		file string
		args []string
		code int
		says string
	}{
		"no file named":           {"", []string{"list"}, exitUsage, "ROLECALL_KEYS_FILE"},
		"no file there":           {file + "x", []string{"list"}, exitFailed, "rolecall keys create"},
		"no project":              {file, []string{"create", "--organization", "acme"}, exitUsage, "--project"},
		"a bad project":           {file, []string{"create", "--organization", "acme", "--project", "A"}, exitUsage, `project "A" must`},
		"a bad scope":             {file, []string{"create", "--organization", "acme", "--project", "a", "--scope", "all"}, exitUsage, "no scope"},
		"an empty scope":          {file, []string{"create", "--organization", "acme", "--project", "a", "--scope", ""}, exitUsage, "--scope names none"},
		"a scope twice":           {file, []string{"create", "--organization", "acme", "--project", "a", "--scope", "read,read"}, exitUsage, "named twice"},
		"another's project":       {file, []string{"create", "--organization", "evil", "--project", "till"}, exitFailed, "project till belongs to organization acme"},
		"an id that is not there": {file, []string{"revoke", "key_x"}, exitFailed, "rolecall keys list"},
		"no id":                   {file, []string{"revoke"}, exitUsage, "key id"},
	} {
		if got := withKeys(t, tc.file, append([]string{"keys"}, tc.args...)...); got.code != tc.code || !strings.Contains(got.stderr, tc.says) || got.stdout != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestKeysAreMadeByManyProcesses: none of the keys is lost, and all of them open.
func TestKeysAreMadeByManyProcesses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	const many = 12
	secrets := make([]string, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			got := withKeys(t, file, "keys", "create", "--organization", "acme", "--project", "shop")
			secrets[i] = strings.TrimSpace(got.stdout)
			if got.code != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
	store, err := keys.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if _, ok := store.Find(s); !ok {
			t.Error("a key that was printed is not in the file")
		}
	}
}

func TestServeRefusesABadKeysFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(`{"keys":[{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{file: "keys[0]: id must", file + "x": "rolecall keys create"} {
		if got := withKeys(t, path, "serve", "--api"); got.code != exitUsage || !strings.Contains(got.stderr, says) {
			t.Errorf("%+v", got)
		}
	}
}

// TestRefusalsOfAKeySayWhatToDo: on the command line and by doctor.
func TestRefusalsOfAKeySayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		refusal *sdk.Error
		says    []string
	}{
		"no key": {sdk.Errorf(sdk.CodeUnauthenticated, "send an API key"), []string{"send an API key", "Set EVENTS_API_KEY", "rolecall keys create"}},
		"scope":  {sdk.Errorf(sdk.CodeForbidden, "the API key lacks the scope read"), []string{"lacks the scope read", "--scope"}},
		"foreign project": {&sdk.Error{Code: sdk.CodeNotFound, Message: "there is no such project", Faults: []sdk.Fault{{Path: "header.Rolecall-Project", Message: "it has shop"}}},
			[]string{"it has shop", "PROJECT_ID"}},
		"several projects": {&sdk.Error{Code: sdk.CodeInvalidInput, Message: "not valid", Faults: []sdk.Fault{{Path: "header.Rolecall-Project", Message: "it has shop, till"}}},
			[]string{"it has shop, till", "PROJECT_ID"}},
	} {
		s := serving(t, taskIn("queued", nil))
		s.refuseTasks(tc.refusal)
		asked, examined := rolecall(t, s.URL, "", "task", "get", "t1"), rolecall(t, s.URL, "", "doctor")
		for _, want := range tc.says {
			if !strings.Contains(asked.stderr, want) {
				t.Errorf("%s: task get does not say %q: %+v", name, want, asked)
			}
			if !strings.Contains(examined.stdout, want) {
				t.Errorf("%s: doctor does not say %q: %+v", name, want, examined)
			}
		}
		if asked.code == 0 || examined.code != exitFailed {
			t.Errorf("%s: exit codes %d and %d", name, asked.code, examined.code)
		}
	}
	s := serving(t, taskIn("queued", nil))
	s.refuseTasks(sdk.Errorf(sdk.CodeNotFound, "no such task"))
	if got := rolecall(t, s.URL, "", "doctor"); got.code != 0 {
		t.Errorf("a caller who may look: %+v", got)
	}
}

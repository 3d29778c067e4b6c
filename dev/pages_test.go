package dev_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ask sends a request as a page or a program would and answers the status; 0 where nobody speaks HTTP/1.1.
func ask(t *testing.T, method, url, host string, header map[string]string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(`{"workflowType":{"name":"Evil"},"taskQueue":{"name":"nobody"}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Close = true // what does not speak HTTP/1.1 is not kept open
	req.Close = true // most of the ports speak something else, and would go on speaking
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			t.Errorf("%s %s: %v", method, url, err)
		}
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(raw)
}

// TestForeignPagesReachNoPort: what a page of another site can send without a preflight starts no run, whatever port it tries.
func TestForeignPagesReachNoPort(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lists the ports of a process in /proc")
	}
	stack := temporalOnly(t)
	listening := portsOf(t, stack.TemporalServer.Pid())
	if _, port, _ := strings.Cut(stack.TemporalAddr(), ":"); !slices.Contains(listening, port) || len(listening) < 3 {
		t.Fatalf("the process listens on %v, Temporal's %s not among them", listening, port)
	}
	for _, port := range listening {
		for _, path := range []string{"/namespaces/default/workflows/evil", "/api/v1/namespaces/default/workflows/evil"} {
			for _, host := range []string{"evil.example:" + port, "127.0.0.1:" + port} {
				for _, header := range []map[string]string{
					{"Content-Type": "text/plain"},
					{"Content-Type": "text/plain", "Origin": "http://evil.example"},
					{"Content-Type": "text/plain", "Origin": "http://evil.example:" + port, "Authorization": "x"}, // ui-server asks no CSRF token then
				} {
					if status, body := ask(t, http.MethodPost, "http://127.0.0.1:"+port+path, host, header); status != 0 && status < 400 {
						t.Errorf("port %s answers a POST to %s for %s with %v: %d %.100s", port, path, host, header, status, body)
					}
				}
			}
		}
		if status, body := ask(t, http.MethodGet, "http://127.0.0.1:"+port+"/api/v1/namespaces", "evil.example:"+port, nil); status != 0 && status < 400 {
			t.Errorf("port %s can be read by a rebound page: %d %.100s", port, status, body)
		}
	}
	_, err := stack.Temporal().DescribeWorkflowExecution(t.Context(), "evil", "")
	if err == nil {
		t.Error("a run was started")
	}
}

// portsOf are the TCP ports that a process listens on.
func portsOf(t *testing.T, pid int) []string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	fds, err := filepath.Glob(dir + "/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var ports []string
	for _, table := range []string{"tcp", "tcp6"} {
		raw, err := os.ReadFile(filepath.Join(dir, "net", table))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			const local, state, inode, listens = 1, 3, 9, "0A"
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != listens || !own[f[inode]] {
				continue
			}
			_, hex, _ := strings.Cut(f[local], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, strconv.FormatUint(port, 10))
		}
	}
	return ports
}

// TestWebUIWorksForItsOwnPage does what the UI's page does: it reads, and it starts a run.
func TestWebUIWorksForItsOwnPage(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	for _, path := range []string{"/", "/namespaces/default/workflows", "/healthz"} {
		if status, body := ask(t, http.MethodGet, stack.UIURL()+path, "", nil); status != http.StatusOK {
			t.Errorf("GET %s: %d %.200s", path, status, body)
		}
	}
	if status, body := ask(t, http.MethodGet, stack.UIURL()+"/api/v1/namespaces", "", nil); status != http.StatusOK || !strings.Contains(body, `"default"`) {
		t.Errorf("GET /api/v1/namespaces: %d %.200s", status, body)
	}
	start := stack.UIURL() + "/api/v1/namespaces/default/workflows/own"
	status, body := ask(t, http.MethodPost, start, "", map[string]string{
		"Content-Type": "application/json", "Origin": stack.UIURL(), "Sec-Fetch-Site": "same-origin", "Cookie": "_csrf=t", "X-Csrf-Token": "t",
	})
	if status != http.StatusOK {
		t.Fatalf("POST of its own page: %d %.200s", status, body)
	}
	if _, err := stack.Temporal().DescribeWorkflowExecution(t.Context(), "own", ""); err != nil {
		t.Error(err)
	}
}

#!/bin/sh
# An agent with nothing but POSIX shell and curl. It takes tasks of the role ROLE over HTTP, one at a time, until it is killed:
#   ROLE=coder ./http-agent.sh ./my-program [argument …]
# The program reads the claim, with the task in it, on standard input and prints its output as JSON. EVENTS_SERVICE_URL,
# EVENTS_API_KEY, PROJECT_ID and AGENT_ID are those of every agent.
set -u
url=${EVENTS_SERVICE_URL:-http://127.0.0.1:3009}/v1 agent=${AGENT_ID:-shell-$$} dir=$(mktemp -d) work=
trap 'kill $work 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 0' INT TERM
call() { # path, body: prints the answer. The key goes to curl where no list of processes shows it.
	{
		[ -z "${EVENTS_API_KEY:-}" ] || echo "header = \"Authorization: Bearer $EVENTS_API_KEY\""
		[ -z "${PROJECT_ID:-}" ] || echo "header = \"Rolecall-Project: $PROJECT_ID\""
	} >"$dir/config"
	printf '%s' "$2" | curl -sS -K "$dir/config" -H 'Content-Type: application/json' --data-binary @- "$url/$1"
}
while :; do
	call "roles/${ROLE:-coder}/claim" "{\"agentId\":\"$agent\",\"waitMs\":20000}" >"$dir/claim"
	lease=$(sed -n 's/^{"lease":"\([^"]*\)".*/\1/p' "$dir/claim")
	[ -n "$lease" ] || { sleep 1; continue; } # nothing came, or the service is away
	"$@" <"$dir/claim" >"$dir/output" &
	work=$!
	while sleep 1; kill -0 $work 2>/dev/null; do
		case $(call "leases/$lease/progress" '{}') in *'"cancelRequested":true'* | *'"code":"lease_lost"'*) kill $work ;; esac
	done
	if wait $work; then
		call "leases/$lease/complete" "{\"output\":$(cat "$dir/output")}"
	else
		call "leases/$lease/fail" '{"error":{"code":"program_failed","message":"the program did not succeed","retryable":true}}'
	fi
done

#!/bin/sh
# An agent with nothing but POSIX shell and curl. It takes tasks of the role ROLE over HTTP, one at a time, until it is killed:
#   ROLE=coder ./http-agent.sh ./my-program [argument …]
# The program reads the claim, with the task in it, on standard input and prints its output as JSON. EVENTS_SERVICE_URL,
# EVENTS_API_KEY, PROJECT_ID and AGENT_ID are those of every agent.
set -u
url=${EVENTS_SERVICE_URL:-http://127.0.0.1:3009}/v1 agent=${AGENT_ID:-shell-$$} role=${ROLE:-coder} dir=$(mktemp -d) work= there=
call() { # path, body or @file, options of curl: prints the answer. Key and lease go to curl where no list of processes shows them.
	path=$1 body=$2
	shift 2
	{
		echo "url = \"$url/$path\""
		[ -z "${EVENTS_API_KEY:-}" ] || echo "header = \"Authorization: Bearer $EVENTS_API_KEY\""
		[ -z "${PROJECT_ID:-}" ] || echo "header = \"Rolecall-Project: $PROJECT_ID\""
	} | curl -sS -K - -H 'Content-Type: application/json' --data-binary "$body" "$@"
}
end() { # complete or fail, with the body in a file: told again while the service is away
	call "leases/$lease/$1" "@$dir/end" -f --max-time 5 --retry 8 --retry-connrefused --retry-max-time 20
}
present() { # keeps the agent in the registry for as long as it runs
	while kill -0 $$; do
		call "agents/$agent/heartbeat" "{\"status\":\"$(cat "$dir/status")\"}" -f --max-time 10 ||
			call agents "{\"id\":\"$agent\",\"name\":\"$agent\",\"role\":\"$role\"}" -f --max-time 10
		sleep 20
	done
}
leave() {
	kill $work $there
	call "agents/$agent/heartbeat" '{"status":"offline"}' --max-time 2
	rm -rf "$dir"
}
trap 'leave >/dev/null 2>&1' EXIT
trap 'exit 0' INT TERM
echo idle >"$dir/status"
present >/dev/null 2>&1 &
there=$!
while :; do
	call "roles/$role/claim" "{\"agentId\":\"$agent\",\"waitMs\":20000}" --max-time 30 >"$dir/claim"
	lease=$(sed -n 's/^{"lease":"\([^"]*\)".*/\1/p' "$dir/claim")
	[ -n "$lease" ] || { sleep 1; continue; } # nothing came, or the service is away
	echo busy >"$dir/status"
	"$@" <"$dir/claim" >"$dir/output" &
	work=$!
	while sleep 1; kill -0 $work 2>/dev/null; do
		case $(call "leases/$lease/progress" '{}' --max-time 5) in *'"cancelRequested":true'* | *'"code":"lease_lost"'*) kill $work ;; esac
	done
	why='the program did not succeed'
	if wait $work; then
		why='the program printed nothing, or what the service does not take'
		{ printf '{"output":' && cat "$dir/output" && printf '}'; } >"$dir/end"
		[ ! -s "$dir/output" ] || ! end complete || why=
	fi
	if [ -n "$why" ]; then
		echo "{\"error\":{\"code\":\"program_failed\",\"message\":\"$why\",\"retryable\":true}}" >"$dir/end"
		end fail
	fi
	work=
	echo idle >"$dir/status"
done

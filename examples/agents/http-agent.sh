#!/bin/sh
# An agent with nothing but POSIX shell and curl: it does tasks of the role ROLE, one at a time, until it is killed.
#   ROLE=coder ./http-agent.sh ./my-program [argument …]
# The program reads the claim, with the task in it, on standard input and prints its output as JSON. EVENTS_SERVICE_URL,
# EVENTS_API_KEY, PROJECT_ID and AGENT_ID are those of every agent.
agent=${AGENT_ID:-shell-$$} dir=$(mktemp -d) job=
call() { # path, body or @file, options of curl, which it becomes. Key and lease go where no list of processes shows them.
	path=$1 body=$2 && shift 2
	exec curl -sS -K - -H 'Content-Type: application/json' --data-binary "$body" "$@" <<-END
		url = "${EVENTS_SERVICE_URL:-http://127.0.0.1:3009}/v1/$path"
		header = "Authorization: ${EVENTS_API_KEY:+Bearer $EVENTS_API_KEY}"
		header = "Rolecall-Project: ${PROJECT_ID:-}"
	END
}
lease() { sed -n 's/^{"lease":"\([^"]*\)".*/\1/p' "$dir/claim" 2>/dev/null; }
end() { (call "leases/$(lease)/$1" "$2" -f --max-time 5 --retry 8 --retry-connrefused --retry-max-time "${3:-20}"); }
fail() { end fail "{\"error\":{\"code\":\"$1\",\"message\":\"$2\",\"retryable\":true}}" "$3"; }
trap 'kill $job 2>/dev/null; [ -z "$(lease)" ] || fail interrupted "the agent stops" 2; rm -rf "$dir"' EXIT
trap 'exit 0' INT TERM
while :; do
	call "roles/${ROLE:-coder}/claim" "{\"agentId\":\"$agent\",\"waitMs\":20000}" --max-time 30 >"$dir/claim" &
	job=$! && wait $job
	[ -n "$(lease)" ] || { cat "$dir/claim" >&2 && sleep 1 && continue; } # nothing came, or it says what is wrong
	"$@" <"$dir/claim" >"$dir/output" &
	job=$!
	while sleep 1 && kill -0 $job 2>/dev/null; do
		case $(call "leases/$(lease)/progress" '{}' --max-time 5) in *'"cancelRequested":true'* | *'"code":"lease_lost"'*) kill $job ;; esac
	done
	if wait $job && [ -s "$dir/output" ] && { printf '{"output":' && cat "$dir/output" && printf '}'; } >"$dir/end"; then
		end complete "@$dir/end" || fail output_refused 'the service did not take what the program printed'
	else
		fail program_failed 'the program failed, or printed nothing'
	fi
	: >"$dir/claim"
done

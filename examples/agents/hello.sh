#!/bin/sh
# The smallest agent: reads one JSON object, reports progress, answers with one line of JSON.
cat >/dev/null
for percentage in 25 50 75; do
	echo "{\"progress\": {\"percentage\": $percentage, \"phase\": \"greeting\", \"message\": \"task $ROLECALL_TASK_ID, attempt $ROLECALL_ATTEMPT\"}}"
	sleep 1
done
echo '{"result": {"output": {"text": "hello"}}}'

#!/bin/sh
# Plays every role of the plans beside it: reads the assignment, works for a moment, and answers with one line of JSON.
task=$(tr -d ' \n')
echo '{"progress": {"percentage": 50, "message": "thinking"}}'
sleep 2
case $ROLECALL_TASK_TYPE in
code.write) # writes no tests until somebody asks for them
	case $task in
	*'"feedback":'*) echo '{"result": {"output": {"file": "parser.go", "tests": true}}}' ;;
	*) echo '{"result": {"output": {"file": "parser.go", "tests": false}}}' ;;
	esac
	;;
code.review) # wants tests
	case $task in
	*'"tests":true'*) echo '{"result": {"output": {"summary": "fine"}, "qualityGatePassed": true, "qualityGate": {"score": 95}}}' ;;
	*) echo '{"result": {"output": {"summary": "no tests"}, "qualityGatePassed": false, "qualityGate": {"score": 40}}}' ;;
	esac
	;;
code.test) # fails where it is told to
	case $task in
	*'"break":true'*) echo '{"error": {"code": "agent_failed", "message": "it does not compile", "retryable": false}}' ;;
	*) echo '{"result": {"output": {"passed": 12, "failed": 0}}}' ;;
	esac
	;;
code.document) echo '{"result": {"output": {"text": "parser.go parses."}}}' ;;
plan.feature) # names a step that there is not, until it is told
	needs=design
	case $task in *'"faults":'*) needs=write ;; esac
	echo '{"result": {"output": {"steps": [
		{"id": "write", "type": "code.write", "title": "Write it"},
		{"id": "test", "type": "code.test", "title": "Test it", "needs": ["'$needs'"]}
	], "outputs": {"tests": "${{ steps.test.output }}"}}}}' | tr -d '\n\t'
	echo
	;;
*) echo '{"result": {"output": {"done": true}}}' ;;
esac

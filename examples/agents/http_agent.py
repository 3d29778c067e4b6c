#!/usr/bin/env python3
"""An agent with nothing but Python's standard library: it takes tasks of a role over HTTP, one at a time, until it is killed.

    ROLE=coder ./http_agent.py

Put the work into do(). EVENTS_SERVICE_URL, EVENTS_API_KEY, PROJECT_ID and AGENT_ID are those of every agent.
"""
import json
import os
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("EVENTS_SERVICE_URL", "http://127.0.0.1:3009") + "/v1/"
AGENT = os.environ.get("AGENT_ID", f"python-{os.getpid()}")
HEADERS = {"Content-Type": "application/json"}
if os.environ.get("EVENTS_API_KEY"):
    HEADERS["Authorization"] = "Bearer " + os.environ["EVENTS_API_KEY"]
if os.environ.get("PROJECT_ID"):
    HEADERS["Rolecall-Project"] = os.environ["PROJECT_ID"]


class Stop(Exception):
    """The attempt is not wanted any more: the task was cancelled, or another agent has it."""


def call(path, body):
    """Sends a call and answers its JSON, or None where there is none. A service that is away is asked again."""
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), HEADERS, method="POST")
    for pause in (0.2, 1, 3, None):
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            if refused.code in (404, 409):  # lease_lost
                raise Stop(refused.read().decode()) from None
            if refused.code not in (429, 502, 503, 504) or pause is None:
                raise
        except urllib.error.URLError:
            if pause is None:
                raise
        time.sleep(pause)


def work(claim):
    """Does one attempt, and keeps its lease meanwhile."""
    lease, done, stop = "leases/" + claim["lease"], threading.Event(), threading.Event()
    word = {}  # what is said with the next heartbeat

    def heartbeat():
        while not done.wait(min(claim["heartbeatMs"] / 3000, 2)):
            try:
                if call(lease + "/progress", dict(word))["cancelRequested"]:
                    stop.set()
            except Stop:
                stop.set()
            except OSError:
                pass  # the next one may get through

    beats = threading.Thread(target=heartbeat, daemon=True)
    beats.start()
    try:
        end, body = "/complete", {"output": do(claim, word, stop)}
    except Stop:
        end, body = "/fail", {"error": {"code": "interrupted", "message": "the agent was told to stop"}}
    except Exception as failed:  # whatever it is, the task's next attempt may mend it
        end, body = "/fail", {"error": {"code": "agent_failed", "message": repr(failed), "retryable": True}}
    done.set()
    beats.join()
    try:
        call(lease + end, body)
    except Stop as late:
        print("the attempt had ended:", late)


def do(claim, word, stop):
    """The work itself. word.update(percentage=…, message=…, resume=…) is told with the next heartbeat; stop says when to raise Stop."""
    words = claim["task"]["title"].split()
    for n, _ in enumerate(words, 1):
        if stop.wait(0.1):
            raise Stop()
        word.update(percentage=100 * n / len(words), message=f"word {n} of {len(words)}", resume={"words": n})
    return {"words": len(words), "resumedFrom": claim.get("resume")}


while True:
    try:
        claimed = call(f"roles/{os.environ.get('ROLE', 'coder')}/claim", {"agentId": AGENT, "waitMs": 20000})
    except (OSError, Stop) as away:
        print("no task can be claimed now:", away)
        time.sleep(2)
        continue
    if claimed:
        work(claimed)

#!/usr/bin/env python3
"""An agent with nothing but Python's standard library: it takes tasks of a role over HTTP, one at a time, until it is killed.

    ROLE=coder ./http_agent.py

Put the work into do(). EVENTS_SERVICE_URL, EVENTS_API_KEY, PROJECT_ID and AGENT_ID are those of every agent.
"""
import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("EVENTS_SERVICE_URL", "http://127.0.0.1:3009") + "/v1/"
AGENT = os.environ.get("AGENT_ID", f"python-{os.getpid()}")
ROLE = os.environ.get("ROLE", "coder")
AWAY = (OSError, http.client.HTTPException, ValueError)  # a call that got no answer, or one that is of no use
CURRENT = []  # the ids of the tasks that are worked on
HEADERS = {"Content-Type": "application/json"}
if os.environ.get("EVENTS_API_KEY"):
    HEADERS["Authorization"] = "Bearer " + os.environ["EVENTS_API_KEY"]
if os.environ.get("PROJECT_ID"):
    HEADERS["Rolecall-Project"] = os.environ["PROJECT_ID"]


class Stop(Exception):
    """The attempt is not wanted any more: the task was cancelled, or another agent has it."""


def call(path, body, timeout=10):
    """Sends a call once and answers its JSON, or None where there is none."""
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), HEADERS, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        if refused.code in (404, 409):  # lease_lost
            raise Stop(refused.read().decode()) from None
        raise


def present():
    """Keeps the agent in the registry, for as long as the process lives."""
    while True:
        try:
            call(f"agents/{AGENT}/heartbeat", {"currentTasks": list(CURRENT)})
        except Stop:  # it is not registered, or not any more
            try:
                call("agents", {"id": AGENT, "name": AGENT, "role": ROLE})
            except AWAY + (Stop,) as away:
                print("the agent is not registered:", away)
        except AWAY:
            pass  # the next one may get through
        time.sleep(20)


class Attempt:
    """One attempt, and its lease."""

    def __init__(self, claim):
        self.claim, self.path, self.length = claim, "leases/" + claim["lease"], claim["heartbeatMs"] / 1000
        self.heard = time.monotonic()  # when the last word was sent that the service took
        self.word = {}  # what is said with the next heartbeat
        self.stop, self.over = threading.Event(), threading.Event()

    def held(self):
        return time.monotonic() < self.heard + 0.9 * self.length

    def keep(self):
        """Says that the agent is there, until the attempt is over."""
        while not self.over.wait(min(self.length / 3, 2)):
            sent = time.monotonic()
            try:
                if call(self.path + "/progress", dict(self.word), max(self.length / 6, 2))["cancelRequested"]:
                    self.stop.set()
                self.heard = sent
            except Stop:
                self.stop.set()
            except AWAY:  # the next one may get through
                if not self.held():
                    self.stop.set()

    def end(self, how, body):
        """Tells how the attempt ended, until the service has taken it or the lease is over; for as long as two leases last at most."""
        latest = time.monotonic() + 2 * self.length + 5
        while True:
            try:
                return call(self.path + how, body)
            except Stop as late:
                return print("the attempt had ended:", late)
            except AWAY as failed:
                code = getattr(failed, "code", 0)
                if how == "/complete" and code in (400, 413, 422):  # the output is nothing that the service takes
                    how, body = "/fail", {"error": {"code": "output_refused", "message": f"the service answered {code}"}}
                    continue
                if 400 <= code < 500 and code not in (408, 429) or not self.held() or time.monotonic() > latest:
                    return print("the end of the attempt was not taken:", failed)
            time.sleep(1)

    def run(self):
        beats = threading.Thread(target=self.keep, daemon=True)
        beats.start()
        CURRENT.append(self.claim["task"]["id"])
        try:
            how, body = "/complete", {"output": do(self.claim, self.word, self.stop)}
            json.dumps(body)  # what is no JSON fails here
        except Stop:
            how, body = "/fail", {"error": {"code": "interrupted", "message": "the agent was told to stop"}}
        except Exception as failed:  # whatever it is, the task's next attempt may mend it
            how, body = "/fail", {"error": {"code": "agent_failed", "message": repr(failed), "retryable": True}}
        self.end(how, body)
        self.over.set()
        beats.join()
        CURRENT.clear()


def do(claim, word, stop):
    """The work itself. word.update(percentage=…, message=…, resume=…) is told with the next heartbeat; stop says when to raise Stop."""
    words = claim["task"]["title"].split()
    for n, _ in enumerate(words, 1):
        if stop.wait(0.1):
            raise Stop()
        word.update(percentage=100 * n / len(words), message=f"word {n} of {len(words)}", resume={"words": n})
    return {"words": len(words), "resumedFrom": claim.get("resume")}


threading.Thread(target=present, daemon=True).start()
while True:
    began = time.monotonic()
    try:
        claimed = call(f"roles/{ROLE}/claim", {"agentId": AGENT, "waitMs": 20000}, 30)
    except AWAY + (Stop,) as away:
        print("no task can be claimed now:", away)
        time.sleep(2)
        continue
    if claimed:
        Attempt(claimed).run()
    elif time.monotonic() - began < 1:  # the service stops, or does not wait
        time.sleep(1)

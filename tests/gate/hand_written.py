"""A gate of hand-written values: a policy that answers what a test chose, and parts that write down what they hear."""

from __future__ import annotations

from stillwatch.gate.contract import Decision, Notice, Observed
from stillwatch.gate.service import Gate

NOTICE = Notice("campaign-member", "This account is closed to this model.", "ref-7")


class ChosenPolicy:
    ident = "hand-written"

    def __init__(self):
        self.decision = Decision()
        self.fault = None
        self.calls = []

    def decide(self, call, recognition, observed):
        self.calls.append(call)
        if self.fault:
            raise self.fault
        return self.decision

    def without_answer(self, ident):
        return Decision(rung="deny", notice=Notice("unavailable", "Try again.", ""), error=ident)


class WrittenState:
    def __init__(self):
        self.outcomes = []

    async def observe(self, call, recognition):
        return Observed()

    async def record(self, outcome):
        self.outcomes.append(outcome)

    async def close(self):
        pass


class WrittenMeter:
    def __init__(self):
        self.doors, self.alarms = [], []

    def decided(self, door, decision, seconds):
        self.doors.append(door)

    def alarm(self, ident):
        self.alarms.append(ident)


class WrittenCapture:
    def __init__(self):
        self.replies = []

    def keep(self, ticket, reply):
        self.replies.append(reply)


class HandWritten:
    """All parts, and the gate that they make."""

    def __init__(self):
        self.policy, self.state = ChosenPolicy(), WrittenState()
        self.meter, self.capture = WrittenMeter(), WrittenCapture()
        self.gate = Gate(lambda: None, lambda: self.policy, self.state, self.meter, lambda b: hash(b), self.capture)

    @property
    def replies(self):
        return self.capture.replies

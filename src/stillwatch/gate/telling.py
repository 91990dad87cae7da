"""What a gate says in its log: one JSON object a line, of words that are listed here and nothing else.

There is no way to log a text: a field is a number, or a name in letters, digits and few signs. So no prompt, key or
raw identifier comes into a log by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from stillwatch.gate.contract import Decision
from stillwatch.gate.settings import LogLevel

LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")

FIELDS = frozenset(
    {
        "address", "campaign", "code", "count", "door", "error", "file", "microseconds", "policy", "port", "reference",
        "rule", "rung", "seconds", "sequence", "snapshot", "status", "tier", "version",
    }
)  # fmt: skip

NAME = re.compile(r"[\w.:/+@\[\]-]{0,200}")
"""What a field may hold: names, addresses, versions, paths; no spaces, so no sentences."""

UNTOLD = "?"
"""Stands for what is no name."""

Value = str | int | float | bool


class Teller:
    """Writes lines from a level on; `now` returns the time as RFC 3339. A `Meter`: it tells what callers felt."""

    def __init__(self, write: Callable[[str], object], now: Callable[[], str], level: LogLevel = "info") -> None:
        self._write, self._now = write, now
        self._level = LEVELS.index(level)
        self._told_alarms: dict[str, int] = {}

    def say(self, level: LogLevel, event: str, **fields: Value) -> None:
        """Write one line: an event in kebab case and its fields."""
        if LEVELS.index(level) < self._level:
            return
        line: dict[str, Value] = {"time": self._now(), "level": level, "event": event}
        for name, value in fields.items():
            assert name in FIELDS, f"{name} is no field of the log"
            line[name] = value if not isinstance(value, str) else value if NAME.fullmatch(value) else UNTOLD
        self._write(msgspec.json.encode(line).decode() + "\n")

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        """Tell a decision that somebody felt; one that nobody felt is told at `debug`."""
        level: LogLevel = "debug" if decision.rung in ("allow", "tag", "shadow") else "info"
        if LEVELS.index(level) < self._level:
            return
        self.say(
            level,
            "decided",
            door=door,
            rung=decision.rung,
            rule=decision.rule,
            tier=decision.tier,
            campaign=decision.campaign_id,
            policy=decision.policy,
            snapshot=decision.snapshot,
            reference=decision.notice.reference if decision.notice else "",
            error=decision.error,
            microseconds=round(seconds * 1e6),
        )

    def alarm(self, ident: str) -> None:
        """Tell an alarm the first time, and then each time that it has come twice as often: a flood fills no disk."""
        if ident not in self._told_alarms and len(self._told_alarms) >= ALARMS_MAX:
            return
        count = self._told_alarms[ident] = self._told_alarms.get(ident, 0) + 1
        if count & (count - 1) == 0:
            self.say("warning", "alarm", code=ident, count=count)


ALARMS_MAX = 1_000
"""Alarms that are counted for their lines: all that this code can raise are fewer."""

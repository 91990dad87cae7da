"""Several meters as one: what is counted is also told and traced."""

from __future__ import annotations

from stillwatch.gate.contract import Decision, Meter


class Meters:
    """Passes each word on to every meter (`Meter`)."""

    def __init__(self, *meters: Meter) -> None:
        self._meters = meters

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        for meter in self._meters:
            meter.decided(door, decision, seconds)

    def alarm(self, ident: str) -> None:
        for meter in self._meters:
            meter.alarm(ident)

"""What a gate counts, for Prometheus. No label ever holds an identifier, and every label has a bound.

The one importer of prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest

from stillwatch.gate.contract import Decision

RULES_MAX = 200
"""Rules that have a label of their own: policies have a dozen. Rules of policies that were reloaded add up; past it a
rule counts as `other`."""

IDENTS_MAX = 100
"""Alarms that have a label of their own: all that this code can raise are fewer. Past it one counts as `other`."""

OTHER = "other"

BUCKETS = tuple(us / 1e6 for us in (10, 20, 35, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 25_000, 100_000))
"""Seconds; from a look-up in memory to the deadline."""


class Metrics:
    """Counts decisions and alarms, and shows what others keep (`Meter`)."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._decisions = Counter(
            "stillwatch_gate_decisions",
            "Calls decided, by what was done with them",
            ("door", "rung", "tier", "rule"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "stillwatch_gate_decision_seconds",
            "Time from a call to its decision",
            ("door",),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._alarms = Counter(
            "stillwatch_gate_alarms", "What a person must look at", ("ident",), registry=self._registry
        )
        # A child is looked up under a lock each time; there are few of them, so that they are kept.
        self._counted: dict[tuple[str, str, str, str], Counter] = {}
        self._timed: dict[str, Histogram] = {}
        self._rules = Names(RULES_MAX)
        self._idents = Names(IDENTS_MAX)

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        key = (door, decision.rung, decision.tier, decision.rule)
        counted = self._counted.get(key)
        if counted is None:
            known = (door, decision.rung, decision.tier, self._rules.label(decision.rule))
            counted = self._decisions.labels(*known)
            if known == key:
                self._counted[key] = counted
        counted.inc()
        timed = self._timed.get(door)
        if timed is None:
            timed = self._timed[door] = self._seconds.labels(door)
        timed.observe(seconds)

    def alarm(self, ident: str) -> None:
        self._alarms.labels(self._idents.label(ident)).inc()

    def show(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """Show a value that somebody else keeps, read whenever metrics are asked for."""
        Gauge(f"stillwatch_gate_{name}", sentence, registry=self._registry).set_function(read)

    def show_figures(self, name: str, sentence: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Show several values that somebody else keeps, each under its name."""
        self._registry.register(_Figures(f"stillwatch_gate_{name}", sentence, read))

    def expose(self) -> tuple[bytes, str]:
        """Return all metrics as text, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_1_0_0


class Names:
    """Gives the first names that come a label of their own, and `other` to those past the bound."""

    def __init__(self, names_max: int) -> None:
        self._names_max = names_max
        self._known: set[str] = set()

    def label(self, name: str) -> str:
        """Return the label of a name."""
        if name not in self._known:
            if len(self._known) >= self._names_max:
                return OTHER
            self._known.add(name)
        return name


class _Figures:
    """A collector of values that are read when they are asked for."""

    def __init__(self, name: str, sentence: str, read: Callable[[], Mapping[str, int]]) -> None:
        self._name, self._sentence, self._read = name, sentence, read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._sentence, labels=("figure",))
        for figure, value in sorted(self._read().items()):
            family.add_metric((figure,), value)
        yield family

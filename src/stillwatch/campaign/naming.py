"""What a campaign is after and how it goes about it, in the field's catalogue words."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.signals.contract import Mark

CAPABILITY = {
    "reasoning-verbatim": "hidden reasoning",
    "reasoning-reconstruction": "hidden reasoning",
    "reasoning-language": "hidden reasoning",
    "stepwise": "step-by-step reasoning",
    "trace-cleaning": "cleaned reasoning traces",
    "synthetic-data": "training data",
    "trajectory": "agent trajectories",
    "preference-data": "preference data",
    "rubric-grading": "grading and reward data",
    "answer-judging": "grading and reward data",
    "cover-wording": "guarded output",
}

TECHNIQUE = {
    "template-reuse": ("AML.T0065",),
    "pool-dispatch": ("AML.T0008.005",),
    "queue-sharding": ("AML.T0035",),
    "shared-infrastructure": ("AML.T0021",),
    "birth-cohort": ("AML.T0021",),
    "failover": ("AML.T0015", "AML.T0042"),
    "reasoning-replay": ("AML.T0057",),
    "jailbreak-exploration": ("AML.T0054", "AML.T0063"),
    "capability-sweep": ("AML.T0035",),
    "program-mismatch": ("AML.T0073",),
    "relay": ("AML.T0008.005",),
    "adoption": ("AML.T0014",),
    "cover-wording": ("AML.T0054",),
    "reasoning-verbatim": ("AML.T0057",),
}
"""Signal or phrase class → MITRE ATLAS techniques (atlas-data 5.6)."""

EXTRACTION = "AML.T0024.002"
"""Extract ML model, by way of the inference API: what every campaign found here does."""


def capabilities(marks: Sequence[Mark]) -> tuple[str, ...]:
    """Return what the families ask for, in alphabetical order."""
    return tuple(sorted({CAPABILITY[name] for name in _classes(marks)}))


def techniques(marks: Sequence[Mark]) -> tuple[str, ...]:
    """Return the ATLAS techniques that the evidence shows, the extraction itself first."""
    shown = [mark.ident for mark in marks if mark.evidence] + _classes(marks)
    found = {technique for name in shown for technique in TECHNIQUE.get(name, ())}
    return (EXTRACTION, *sorted(found))


def _classes(marks: Sequence[Mark]) -> list[str]:
    return [name for mark in marks for name in mark.figures if name in CAPABILITY and mark.figures[name] >= 0.2]

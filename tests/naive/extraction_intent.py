"""What the calls ask for, with sets of phrase classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def class_shares(calls: Sequence[set[str]], classes: Sequence[str]) -> dict[str, float]:
    return {name: sum(name in said for said in calls) / len(calls) for name in classes}


def intent_score(shares: Mapping[str, float], weights: Mapping[str, float]) -> tuple[float, list[str]]:
    """Return the largest weighted share, and the classes that a fifth of the calls show, strongest first."""
    leading = [name for name in shares if shares[name] >= 0.2]
    leading.sort(key=lambda name: -weights[name] * shares[name])
    return max(weights[name] * shares[name] for name in shares), leading

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


def harvest(calls: Sequence[tuple[str, int | None, int]], sent: Mapping[str, int], long: int) -> tuple[float, ...]:
    """Return what a harvest does. `calls` are (account, turn, output tokens), `sent` what each account sent in all."""
    inside = {account: sum(of == account for of, _, _ in calls) for account in sent}
    shares = sorted(min(1.0, inside[account] / max(1, sent[account])) for account in sent)
    middle = (shares[(len(shares) - 1) // 2] + shares[len(shares) // 2]) / 2
    turns = [turn for _, turn, _ in calls if turn is not None]
    single = sum(turn == 0 for turn in turns) / len(turns) if turns else 0.5
    tokens = [output for _, _, output in calls]
    return middle, single, sum(output >= long for output in tokens) / len(tokens) if any(tokens) else 0.5

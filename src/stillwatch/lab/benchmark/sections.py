"""Sections of docs/benchmark.md on what fits no common table: slices, successors, what evasion costs, games."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.figures import NONE, count, number, paragraph, percent, table
from stillwatch.lab.benchmark.game import HONEST_SHARE, OPPONENT

Found = dict[str, Any]

SLICED = "evasion-2"
COSTLY = ("evasion-3", "evasion-10")
COMPARED = ("ledger-c10", "evasion-8")
"""A plain pool of the ledger, and one that avoids shared attributes: what the costs of hiding are compared with."""


def special_cases(scenarios: Sequence[Found]) -> list[str]:
    """Return the sections on slices, on successors and on the cost of hiding, where there is a scenario for them."""
    found = [_slices(row) for row in scenarios if row["scenario"].startswith(SLICED)]
    found += [_successors(row) for row in scenarios if row["heirs_count"]][:1]
    costly = [row for row in scenarios if row["scenario"].startswith((*COSTLY, *COMPARED)) and row["calls_paid_count"]]
    if any(row["scenario"].startswith(COSTLY) for row in costly):
        found.append(_costs(costly))
    return found


def _slices(row: Found) -> str:
    told = (
        f"In `{row['scenario']}` a campaign is {percent(row['calls_count'] / row['calls_paid_count'])} of the calls of "
        f"{count(row['accounts_count'])} accounts that strangers use too. What should be reported is the slice, not "
        f"the accounts: {percent(row['calls_recall'])} of the campaign's calls were, beside "
        f"{count(row['collateral_calls_count'])} calls of others, {percent(1.0 - row['calls_precision'])} of all that "
        f"was reported; {percent(row['accounts_recall'])} of the accounts were named whole."
    )
    return "\n\n".join(["## Slices", paragraph(told)])


def _successors(row: Found) -> str:
    told = (
        f"In `{row['scenario']}` {count(row['heirs_count'])} accounts took over from banned ones and called. Over the "
        f"whole log {percent(row['relinked_share'])} of them are named in a report that names first accounts too. In "
        f"the log as it stood a day after the first ban, it is {percent(row['relinked_day_share'])} of those that had "
        "called by then."
    )
    return "\n\n".join(["## Successors of banned accounts", paragraph(told)])


def _costs(rows: Sequence[Found]) -> str:
    lines = [("scenario", "accounts named", "calls named", "calls paid for one wanted", "accounts for 1,000 a day")]
    lines += [
        (
            f"`{row['scenario']}`",
            percent(row["accounts_recall"]),
            percent(row["calls_recall"]),
            number(row["calls_paid_count"] / row["calls_count"], 2),
            count(row["accounts_count"] / (row["calls_count"] / row["hours_of_log"] * 24.0) * 1_000.0),
        )
        for row in rows
    ]
    told = (
        "Two ways of hiding are not expected to be found by their calls. What can be said is what they cost beside "
        "ways that do not hide so well: calls that are paid for and thrown away, and accounts for the same yield. An "
        "organic relay also needs as many real people as it has conversations, and takes what they happen to ask."
    )
    return "\n\n".join(["## What hiding costs", paragraph(told), table(lines)])


def opponents(rows: Sequence[Found]) -> str:
    """Return the section on the opponent that learns."""
    titles = {each.IDENT: each.TITLE for each in BASELINES}
    lines = [
        ("against", "days", "calls obtained", "accounts lost", "calls an account lost", "lost on the first day",
         "on the last", "calls paid", "accounts bought", "cards"),
    ]  # fmt: skip
    for row in rows:
        each = row["calls_per_account_lost"]
        lines.append(
            (
                titles.get(row["against"], "the detector"),
                count(row["rounds_count"]),
                count(row["calls_obtained"]),
                count(row["accounts_lost"]),
                count(each) if each is not None else "none lost",
                percent(row["first_lost_share"]),
                percent(row["last_lost_share"]),
                count(row["calls_paid"]),
                count(row["accounts_bought"]),
                count(row["cards_bought"]),
            )
        )
    kept = "; ".join(
        f"against {titles.get(row['against'], 'the detector')}: {', '.join(row['kept']) or NONE}" for row in rows
    )
    told = (
        f"An opponent with work for {count(OPPONENT.work)} calls sees at the end of each day which accounts it lost, "
        "and changes one knob at a time (calls an account, accounts a card, paraphrase, cover, a preamble for each "
        "account, unevenness, paths). A baseline flags what scores above the threshold at which it names "
        f"{percent(HONEST_SHARE)} of an honest day's accounts. What is flagged only at the end of a day has obtained "
        f"that day's calls. Changes that it kept: {kept}."
    )
    return "\n\n".join(["## Against an opponent who adapts", paragraph(told), table(lines)])

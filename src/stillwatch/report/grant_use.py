"""What was used of grants, as runs and gates counted it, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.campaign.exemption import Tally, Volume
from stillwatch.grant import Grant
from stillwatch.report import terminal, wording

GRANTEE_CHARS_MAX = 30
"""What a column of a table has room for; the grant has all of it."""

WHAT_IS_COUNTED = (
    "Runs count calls of campaigns, a gate every call that a grant covers; a call can be in both, and what is left is"
    " by the larger. Outside are the grantee's calls of campaigns that it does not cover."
)


@dataclass(frozen=True, slots=True)
class Use:
    """What was used of one grant: as runs counted it, in campaigns, and as a gate did, every call. Both can have
    counted the same call, so they are never added; what is left is reckoned by the larger.

    `by_gate` is None where no gate was asked. `grant.expires` is where it ends, by its own word or a revocation's.
    """

    grant: Grant
    is_revoked: bool
    by_runs: Tally
    by_gate: Volume | None

    @property
    def calls_left(self) -> int:
        """Return how many calls are left, 0 where there were too many."""
        return max(0, self.grant.calls_max - max(self.by_runs.inside.calls, self.by_gate.calls if self.by_gate else 0))

    @property
    def output_tokens_left(self) -> int:
        """Return how many output tokens are left, 0 where there were too many."""
        by_gate = self.by_gate.output_tokens if self.by_gate else 0
        return max(0, self.grant.output_tokens_max - max(self.by_runs.inside.output_tokens, by_gate))


def uses(
    ended: Sequence[Grant],
    revocations: Mapping[str, int],
    by_runs: Mapping[str, Tally],
    by_gate: Mapping[str, tuple[int, int]] | None,
) -> list[Use]:
    """Put together what was used of each grant. `ended` are grants to which revocations were applied."""
    return [
        Use(
            one,
            one.grant_id in revocations,
            by_runs.get(one.grant_id, Tally()),
            None if by_gate is None else Volume(*by_gate.get(one.grant_id, (0, 0))),
        )
        for one in ended
    ]


def as_json(found: Sequence[Use]) -> list[dict[str, object]]:
    """Give the use of grants as plain values for JSON."""
    return [
        {
            "grant_id": use.grant.grant_id,
            "grantee": use.grant.grantee,
            "ends": use.grant.expires,
            "revoked": use.is_revoked,
            "calls_max": use.grant.calls_max,
            "calls_left": use.calls_left,
            "output_tokens_max": use.grant.output_tokens_max,
            "output_tokens_left": use.output_tokens_left,
            "runs": {
                "calls": use.by_runs.inside.calls,
                "output_tokens": use.by_runs.inside.output_tokens,
                "other_model_calls": use.by_runs.other_model_calls,
                "early_calls": use.by_runs.early_calls,
                "late_calls": use.by_runs.late_calls,
            },
            "gate": use.by_gate
            and {
                "calls": use.by_gate.calls,
                "output_tokens": use.by_gate.output_tokens,
                "calls_over": max(0, use.by_gate.calls - use.grant.calls_max),
                "output_tokens_over": max(0, use.by_gate.output_tokens - use.grant.output_tokens_max),
            },
        }
        for use in found
    ]


def print_table(found: Sequence[Use], console: Console) -> None:
    """Print the use of grants, some rows for each, and what they count below."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    table.add_column("Grant", no_wrap=True)
    table.add_column("")
    for head in ("Calls", "Output tokens"):
        table.add_column(head, justify="right", no_wrap=True)
    for use in found:
        ends = f"{'revoked' if use.is_revoked else 'ends'} {wording.moment(use.grant.expires)}"
        names = iter((use.grant.grant_id, wording.printable(use.grant.grantee)[:GRANTEE_CHARS_MAX], ends))
        for what, calls, tokens in _rows(use):
            table.add_row(
                Text(next(names, "")), what, *("" if n is None else wording.count(n) for n in (calls, tokens))
            )
        table.add_row()
    with terminal.trimmed(console):
        console.print(table)
        console.print(Text(WHAT_IS_COUNTED))


def _rows(use: Use) -> list[tuple[str, int | None, int | None]]:
    """Return what the rows of one grant say: what is counted, calls, output tokens; never fewer than three."""
    grant, runs, gate = use.grant, use.by_runs, use.by_gate
    return [
        ("allowed", grant.calls_max, grant.output_tokens_max),
        ("used, by runs", runs.inside.calls, runs.inside.output_tokens),
        *([("used, by the gate", gate.calls, gate.output_tokens)] if gate else []),
        ("left", use.calls_left, use.output_tokens_left),
        *(
            (f"outside, {why}", calls, None)
            for why, calls in (
                ("on another model", runs.other_model_calls),
                ("too early", runs.early_calls),
                ("too late", runs.late_calls),
            )
            if calls
        ),
    ]

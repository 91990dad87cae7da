"""What a person wants to see when a run has ended, and the same as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stillwatch.finding import Campaign, Evidence
from stillwatch.report import power, reading, wording

CAMPAIGNS_MAX = 20
"""Rows that fit a screen; `campaigns.jsonl` has them all."""


@contextmanager
def trimmed(console: Console) -> Iterator[None]:
    """Print what is inside without the spaces with which lines are filled up to one width."""
    with console.capture() as caught:
        yield
    console.file.write(re.sub(r" +$", "", caught.get(), flags=re.MULTILINE))


def summary(run_dir: Path, console: Console) -> None:
    """Print what a run found, what it cleared, what it could not look at, and where the report is.

    Raises:  not-a-run, broken-run, unknown-schema-version.
    """
    run = reading.read(run_dir)
    with trimmed(console):
        _summary(run, console)


def _summary(run: reading.Run, console: Console) -> None:
    facts = run.facts
    console.print(Text(wording.headline(len(run.campaigns)), style="bold"))
    console.print(Text(_log_line(facts)))
    if run.campaigns:
        console.print()
        console.print(_campaigns_table(run, console.is_terminal))
        if len(run.campaigns) > CAMPAIGNS_MAX:
            console.print(Text(f"{CAMPAIGNS_MAX} of {wording.count(len(run.campaigns))} campaigns"))
        for campaign in run.campaigns[:CAMPAIGNS_MAX]:
            _reasons(campaign, console)
        console.print()
        console.print(Text(wording.certainty(facts)))
    else:
        console.print(Text(wording.UNSEEN))
    for label, text in _notes(run):
        console.print()
        console.print(Text(label, style="bold"))
        for line in text:
            console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    console.print()
    console.print(Text(wording.SUSPICION))
    console.print(Text(f"Report: {wording.printable(str(run.directory / 'report.html'))}"), soft_wrap=True)


def summary_json(run_dir: Path) -> dict[str, object]:
    """Give the same summary as plain values for JSON.

    Raises:  not-a-run, broken-run, unknown-schema-version.
    """
    run = reading.read(run_dir)
    facts = run.facts
    return {
        "window": {"start": facts.window.start, "end": facts.window.end},
        "events_count": facts.events_count,
        "accounts_count": facts.accounts_count,
        "rejected_count": facts.rejected_count,
        "fdr": facts.fdr,
        "campaigns_count": len(run.campaigns),
        "campaigns": [_campaign_json(campaign) for campaign in run.campaigns],
        "tested_count": run.tested_count(),
        "not_listed": dict(sorted(Counter(group.outcome for group in run.not_listed()).items())),
        "untested_count": run.untested_count(),
        "watched_count": reading.verdict_count(run_dir, "watch"),
        "skipped": [{"signal": signal.ident, "reason": signal.reason} for signal in run.skipped()],
        "losses": dict(reading.losses_of(facts)),
        "saturated": [{"bound": item.bound, "value": item.value, "note": item.note} for item in facts.saturated],
        "calibration": {"ident": facts.calibration.ident, "shipped": facts.calibration.shipped},
        "exemptions": [msgspec.to_builtins(one) for one in run.exemptions],
        "online": facts.online and msgspec.to_builtins(facts.online),
        "power": [asdict(reach) for reach in facts.power],
        "report": str(run_dir / "report.html"),
    }


def _log_line(facts: reading.Facts) -> str:
    accounts = wording.counted(facts.accounts_count, "account")
    read = f"{wording.counted(facts.events_count, 'call')} by {accounts}"
    if facts.window.start is None:
        return read
    return f"{read}, {wording.moment(facts.window.start)} to {wording.moment(facts.window.end)}"


def _campaigns_table(run: reading.Run, decorated: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if decorated else None, pad_edge=False)
    table.add_column("Campaign", no_wrap=True)
    table.add_column("Accounts", justify="right", no_wrap=True)
    table.add_column("Calls", justify="right", no_wrap=True)
    table.add_column("First call", no_wrap=True)
    table.add_column("Last call", no_wrap=True)
    table.add_column("q-value", justify="right", no_wrap=True)
    for campaign in run.campaigns[:CAMPAIGNS_MAX]:
        table.add_row(
            Text(wording.short(campaign.campaign_id)),
            wording.count(campaign.accounts_count),
            wording.count(campaign.events_count),
            _stamp(campaign.first_seen),
            _stamp(campaign.last_seen),
            wording.probability(campaign.q_value),
        )
    return table


def _stamp(rfc3339: str) -> str:
    """Write a time in sixteen columns, so that the table fits eighty."""
    return rfc3339[:16].replace("T", " ")


def _reasons(campaign: Campaign, console: Console) -> None:
    console.print()
    console.print(Text(f"Why {wording.short(campaign.campaign_id)}", style="bold"))
    for _, items in wording.by_kind(campaign.evidence):
        console.print(Padding(Text(evidence_line(items[0])), (0, 0, 0, 2), expand=False))
    if campaign.carriers_count:
        console.print(Padding(Text(wording.carried(campaign)), (0, 0, 0, 2), expand=False))
    against = len(campaign.counter_evidence)
    if against:
        said = "One statement speaks" if against == 1 else f"{against} statements speak"
        console.print(Padding(Text(f"{said} against it; see the report."), (0, 0, 0, 2), expand=False))


def evidence_line(item: Evidence) -> str:
    """Write one piece of evidence on a line, its signal and p-value behind it."""
    p = "" if item.p_value is None else f", p{wording.equal_to(wording.probability(item.p_value))}"
    return f"{wording.sentence(item.statement).removesuffix('.')} [{wording.printable(item.signal)}{p}]"


def _notes(run: reading.Run) -> list[tuple[str, list[str]]]:
    facts = run.facts
    outcomes: Counter[str] = Counter(group.outcome for group in run.not_listed())
    untested = run.untested_count()
    lines = {
        "Tested and not listed": [
            f"{wording.count(outcomes[outcome])} × {wording.OUTCOMES[outcome].lower()}"
            for outcome in wording.OUTCOMES
            if outcomes[outcome]
        ],
        "Not tested": [f"{wording.families(untested)}: too small, or without a reason to test them"]
        if untested
        else [],
        "Under watch": [wording.counted(n, "account")] if (n := reading.verdict_count(run.directory, "watch")) else [],
        "Under grants": [wording.exemption_line(one) for one in run.exemptions],
        "Stream": [wording.stream_line(facts.online)] if facts.online else [],
        "Signals skipped": [
            f"{wording.printable(signal.ident)}: {wording.printable(signal.reason)}" for signal in run.skipped()
        ],
        "Losses in the log": [wording.loss_line(name, n) for name, n in reading.losses_of(facts).items()],
        "Records rejected": [
            f"{wording.count(n)} × {wording.printable(reason)}"
            for reason, n in sorted(facts.rejected_by_reason.items())
        ],
        "Bounds that were hit": [
            f"{wording.printable(item.bound)} at {wording.figure(item.value)}: {wording.printable(item.note)}"
            for item in facts.saturated
        ],
        "Calibration": ["the shipped one, fitted on simulated traffic and not on this provider's"]
        if facts.calibration.shipped
        else [],
        **power.lines(facts.power),
    }
    return [(label, text) for label, text in lines.items() if text]


def _campaign_json(campaign: Campaign) -> dict[str, object]:
    return {
        "campaign_id": campaign.campaign_id,
        "accounts_count": campaign.accounts_count,
        "events_count": campaign.events_count,
        "carriers_count": campaign.carriers_count,
        "carried_events_count": campaign.carried_events_count,
        "collateral_events_count": campaign.collateral_events_count,
        "output_tokens": campaign.output_tokens,
        "first_seen": campaign.first_seen,
        "last_seen": campaign.last_seen,
        "q_value": campaign.q_value,
        "signals": [item.signal for item in wording.strongest(campaign.evidence)],
        "techniques": list(campaign.techniques),
    }

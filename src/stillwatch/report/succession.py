"""What became of campaigns, as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from stillwatch.campaign.succession import Event
from stillwatch.engines.output import rfc3339
from stillwatch.report.terminal import trimmed


def show(events: Sequence[Event], console: Console) -> None:
    """Print a row for each event of one window."""
    table = Table(box=None, pad_edge=False)
    for name in ("Window until", "Event", "Campaign", "Accounts", "Added", "Calls", "Last call", "Run's name"):
        table.add_column(name, justify="right" if name in ("Accounts", "Added", "Calls") else "left")
    for event in events:
        into = {"merged": " into ", "split": " from "}.get(event.kind, "")
        table.add_row(
            rfc3339(event.window_us[1]),
            event.kind,
            event.lineage_id + (f"{into}{event.other_id}" if into else ""),
            f"{event.accounts_count:,}",
            f"{len(event.accounts_added):,}" if event.accounts_added else "",
            "" if event.events_count is None else f"{event.events_count:,}",
            rfc3339(event.last_seen_us),
            event.campaign_id or "",
        )
    with trimmed(console):
        console.print(table)

"""What each dialect of logs can and cannot carry, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stillwatch.adapters.contract import Dialect
from stillwatch.event import EVENT_REQUIRED, EVENT_SCHEMA
from stillwatch.report.terminal import trimmed

# `losses` says what befell a row; no log fills it from a field of its own.
COLUMNS = tuple(name for name in EVENT_SCHEMA.names if name != "losses")


def as_json(dialect: Dialect) -> dict[str, object]:
    """Return one dialect as plain values."""
    return {
        "ident": dialect.ident,
        "title": dialect.title,
        "columns": [name for name in COLUMNS if name in dialect.columns],
        "missing": [name for name in COLUMNS if name not in dialect.columns],
        "losses": list(dialect.losses),
        "notes": list(dialect.notes),
    }


def matrix(dialects: Sequence[Dialect], console: Console) -> None:
    """Print one row for each canonical column and one column for each dialect."""
    with trimmed(console):
        _matrix(dialects, console)


def _matrix(dialects: Sequence[Dialect], console: Console) -> None:
    for dialect in dialects:
        console.print(Text(f"{dialect.ident:<10} {dialect.title}"), soft_wrap=True)
    console.print()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    table.add_column("column", no_wrap=True)
    for dialect in dialects:
        table.add_column(dialect.ident, justify="center", no_wrap=True)
    for name in COLUMNS:
        label = f"{name} *" if name in EVENT_REQUIRED else name
        table.add_row(label, *("yes" if name in dialect.columns else "·" for dialect in dialects))
    console.print(table)
    console.print(Text("* required.  stillwatch formats DIALECT says what a dialect lacks and what cures it."))


def card(dialect: Dialect, console: Console) -> None:
    """Print everything about one dialect."""
    with trimmed(console):
        _card(dialect, console)


def _card(dialect: Dialect, console: Console) -> None:
    facts = as_json(dialect)
    console.print(Text(f"{dialect.ident}: {dialect.title}", style="bold"))
    for label in ("columns", "missing", "losses", "notes"):
        values = facts[label]
        assert isinstance(values, list)
        console.print()
        console.print(Text(LABELS[label], style="bold"))
        lines = values if label == "notes" else [", ".join(values)]
        for line in lines or [""]:
            console.print(Padding(Text(line or "nothing"), (0, 0, 0, 2)))


LABELS = {
    "columns": "Can fill",
    "missing": "Cannot fill",
    "losses": "Losses that it marks in the rows",
    "notes": "Notes",
}

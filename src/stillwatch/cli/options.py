"""Options and outputs that several commands share.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.errors import Error

if TYPE_CHECKING:
    from rich.console import Console

    from stillwatch.report.progress import Bar, Lines

DIALECTS = ("canonical", "otel", "litellm", "bedrock", "gateway", "raw-pairs")
"""Written down so that completion loads no adapter; tests/test_cli.py keeps the two in step."""

PLAIN_COLUMNS = 110
"""Width of a table that goes to a file or a pipe, where no terminal says its own."""


path = partial(click.option, type=click.Path(path_type=Path))
many = partial(click.option, multiple=True)
config_option = path("--config", "config_file", metavar="FILE", envvar="STILLWATCH_CONFIG", help="Settings in TOML.")
key_option = click.option("--key-file", metavar="FILE", help="Secret behind the pseudonyms.")
calls_option = click.option("--calls", type=click.IntRange(min=1), metavar="N", help="About how many calls.")
seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the world.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
force_option = click.option("--force", is_flag=True, help="Replace an earlier output in --out.")
progress_option = click.option("--no-progress", is_flag=True, help="Print no progress.")


def progress(no_progress: bool) -> Bar | Lines:
    """Return a bar for a person at a terminal, plain lines for everybody else."""
    from rich.console import Console

    from stillwatch.report.progress import Bar, Lines

    if sys.stderr.isatty() and not no_progress:
        return Bar(Console(stderr=True))
    return Lines(lambda line: click.echo(line, err=True), time.monotonic, quiet=no_progress)


def console() -> Console:
    """Return where tables are printed."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS, highlight=False)


def write_new(path: Path, text: str, force: bool) -> None:
    """Write a file that is not there yet, or is to be replaced; it appears whole or not at all."""
    if path.exists() and not force:
        raise Error(
            "file-exists",
            "there is a file of that name already",
            hint="name another file, or pass --force to replace it",
            where=str(path),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def print_json(value: object) -> None:
    """Print a value as JSON, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))

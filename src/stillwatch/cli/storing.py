"""What is kept from day to day: logs go into a store, and the store is shown, checked, closed and pruned."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch import config
from stillwatch.cli.detecting import mapped_fields, request_of
from stillwatch.cli.options import (
    DIALECTS,
    config_option,
    json_option,
    key_option,
    many,
    path,
    print_json,
    progress,
    progress_option,
)

if TYPE_CHECKING:
    from stillwatch.store.upkeep import Checked

EXIT_FAULTY = 1


@click.command()
@click.argument("events", nargs=-1)
@click.option("--store", required=True, metavar="DIR", help="A folder or URL; made where there is none yet.")
@many("--accounts", metavar="FILE", help="Account facts to keep too; may be repeated.")
@click.option("--format", type=click.Choice(("auto", *DIALECTS)), metavar="DIALECT", help="As in detect.")
@click.option("--rejected-max", type=float, help="Share of bad records that ends it. [default: 0.01]")
@path("--rejected", default=Path("rejected.jsonl"), metavar="FILE", help="Where bad records are listed, if any.")
@many("--field", "fields", metavar="COLUMN=PATH", callback=mapped_fields, help="Fill a column from here in the record.")
@many("--companion", "companions", metavar="FILE", help="A file that Bedrock logs join: CloudTrail.")
@click.option("--model-default", metavar="MODEL", help="The model of records that name none.")
@click.option("--no-close", is_flag=True, help="Leave days open that are more than 48 hours old.")
@key_option
@config_option
@json_option
@progress_option
def ingest(
    events: tuple[str, ...],
    store: str,
    accounts: tuple[str, ...],
    rejected: Path,
    no_close: bool,
    config_file: Path | None,
    as_json: bool,
    no_progress: bool,
    **options: Any,
) -> None:
    """Fold logs into a store of traces, each file once. No text goes in.

    EVENTS are files, folders, globs or URLs of one log. What was read before is known by its content.

    \b
    Examples:
      stillwatch ingest logs --store store
      stillwatch ingest logs --store store --accounts accounts.jsonl --json
      stillwatch ingest 'spans/*.jsonl' --format otel --field account_id=user.id --store spans-store
    """
    from stillwatch.engines import ingest as engine

    if not events and not accounts:
        raise click.UsageError("expected EVENTS or --accounts")
    settings = config.load(config_file, os.environ, options)
    asked = request_of(events, accounts, Path(), settings, False)
    request = engine.IngestRequest(
        events=events,
        store=store,
        rejected=rejected,
        accounts=accounts,
        format=asked.format,
        rejected_max=asked.rejected_max,
        read=asked.read,
        key=asked.key,
        close=not no_close,
    )
    with progress(no_progress) as told:
        outcome = engine.ingest(request, told)
    if as_json:
        print_json({"store": store, **asdict(outcome)})
        return
    known = f", {outcome.known_files_count} known already" if outcome.known_files_count else ""
    click.echo(f"store     {store}, manifest {outcome.manifest_number}")
    click.echo(f"files     {outcome.files_count} read{known}")
    click.echo(f"calls     {outcome.events_count} taken")
    if outcome.too_old_count:
        click.echo(f"          {outcome.too_old_count} older than what was pruned, and left out")
    if outcome.rejected_count:
        click.echo(f"rejected  {outcome.rejected_count} records, listed in {rejected}")
    if outcome.days_closed:
        click.echo(f"closed    {outcome.days_closed} days")


@click.group()
def store() -> None:
    """Show, check, close and prune a store.

    \b
    Examples:
      stillwatch store show store
      stillwatch store check store
      stillwatch store prune store --keep 30d
    """


@store.command()
@click.argument("url", metavar="DIR")
@click.option("--columns", is_flag=True, help="Say what each column takes, in bytes a call.")
@json_option
def show(url: str, columns: bool, as_json: bool) -> None:
    """Say what a store holds: days, calls, bytes, and how far each stream was read.

    \b
    Examples:
      stillwatch store show store
      stillwatch store show store --columns --json
    """
    from stillwatch.store.store import Store
    from stillwatch.store.upkeep import contents

    said = contents(Store.open(url, None), columns)
    if as_json:
        print_json(said)
        return
    click.echo(f"manifest  {said['manifest']}, key {said['key_ident']}, {said['sources_count']} files read")
    for day in said["days"]:
        state = "closed" if day["closed"] else "open"
        click.echo(
            f"{day['day']}  {state:<6} {day['calls']:>12,} calls {day['parts']:>4} parts "
            f"{day['trace_bytes_per_call']:>7.1f} + {day['name_bytes_per_call']:.1f} bytes a call"
        )
    for name, taken in said.get("columns", {}).items():
        click.echo(f"  {name:<18} {taken:>8.2f}")
    for at, offset in said["positions"].items():
        click.echo(f"position  {at} {offset}")


@store.command()
@click.argument("url", metavar="DIR")
@click.option("--repair", is_flag=True, help="Take damaged parts out, and sweep files that nothing names any more.")
@click.option("--spare", default="24h", metavar="LENGTH", help="How young a file no sweep touches.")
@json_option
@progress_option
def check(url: str, repair: bool, spare: str, as_json: bool, no_progress: bool) -> int:
    """Compare every file of a store with the manifest: its length, its digest, its rows.

    Exit status: 0 all is well; 1 something is wrong, and is listed; 2 wrong usage.

    \b
    Examples:
      stillwatch store check store
      stillwatch store check store --repair --json
    """
    from stillwatch.store.store import Store
    from stillwatch.store.upkeep import check as compare
    from stillwatch.store.upkeep import give_up, sweep
    from stillwatch.store.window import duration_us

    spared_s = duration_us(spare) / 1_000_000
    opened = Store.open(url, None)
    with progress(no_progress) as told:
        begun = time.perf_counter()
        told.begin("check", sum(file.size_bytes for file in opened.manifest.files().values()))
        found = compare(opened, told.advance)
        told.end("check", time.perf_counter() - begun, found.rows)
    given_up, swept = 0, list[str]()
    if repair:
        given_up = give_up(opened, found.faults)
        swept = sweep(opened, datetime.now(UTC), spared_s)
    if as_json:
        print_json({**asdict(found), "parts_given_up": given_up, "swept": swept})
    else:
        _say_check(found, given_up, swept, repair)
    return EXIT_FAULTY if found.faults else 0


def _say_check(found: Checked, given_up: int, swept: list[str], repair: bool) -> None:
    for fault in found.faults:
        click.echo(f"{fault.file} {fault.reason}")
    click.echo(f"manifest {found.number}: {found.files} files, {found.rows} calls, {found.size_bytes} bytes")
    click.echo(f"{len(found.faults)} faults, {len(found.orphans)} files that nothing names")
    if repair:
        click.echo(f"{given_up} parts given up, {len(swept)} files swept; ingest the logs of those hours again")


@store.command()
@click.argument("url", metavar="DIR")
@click.option("--keep", required=True, metavar="LENGTH", help="How far back from the newest hour, such as 30d.")
@json_option
def prune(url: str, keep: str, as_json: bool) -> None:
    """Delete the calls that are older, and the files that nothing names any more. Nothing brings them back.

    \b
    Examples:
      stillwatch store prune store --keep 30d
    """
    from stillwatch.store.store import Store
    from stillwatch.store.upkeep import prune as drop
    from stillwatch.store.upkeep import sweep
    from stillwatch.store.window import duration_us

    keep_us = duration_us(keep)
    opened = Store.open(url, None)
    gone = drop(opened, keep_us)
    swept = sweep(opened, datetime.now(UTC))
    if as_json:
        print_json({**asdict(gone), "swept": swept, "manifest": opened.manifest.number})
    else:
        click.echo(f"pruned    {gone.rows} calls, {gone.size_bytes} bytes, and {len(swept)} files that nothing named")


@store.command()
@click.argument("url", metavar="DIR")
@click.option("--before", required=True, metavar="DATE", help="The first day that stays as it is.")
@json_option
@progress_option
def close(url: str, before: str, as_json: bool, no_progress: bool) -> None:
    """Make one small sorted whole of each day before a date; late calls beside closed days are folded into them.

    What it loses: docs/formats/store.md.

    \b
    Examples:
      stillwatch store close store --before 2026-03-02
    """
    from stillwatch.store.closing import close_days, days_before
    from stillwatch.store.store import Store

    opened = Store.open(url, None)
    with progress(no_progress) as told:
        begun = time.perf_counter()
        told.begin("close", None)
        closed = close_days(opened, days_before(opened, before), told.note)
        told.end("close", time.perf_counter() - begun, closed)
    if as_json:
        print_json({"days_closed": closed, "manifest": opened.manifest.number})
    else:
        click.echo(f"closed    {closed} days")

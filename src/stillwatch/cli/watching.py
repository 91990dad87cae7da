"""What goes on by itself: following logs into a store, and detection window after window."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from stillwatch import config
from stillwatch.cli.detecting import mapped_fields, request_of
from stillwatch.cli.options import (
    DIALECTS,
    config_option,
    console,
    json_option,
    key_option,
    many,
    path,
    progress,
    progress_option,
)
from stillwatch.errors import Error

if TYPE_CHECKING:
    from stillwatch.campaign.succession import Event
    from stillwatch.engines.contract import Observer, Progress
    from stillwatch.engines.watch import WatchRequest


@click.command()
@click.option("--store", required=True, metavar="DIR", help="The store that calls are kept in; it is made if need be.")
@many("--source", "sources", metavar="SOURCE", help="A folder, a glob or kafka://BROKERS/TOPIC; may be repeated.")
@path("--out", required=True, metavar="DIR", help="Where runs, events and the state go.")
@many("--accounts", metavar="FILE", help="Account facts, read anew for each window; may be repeated.")
@click.option("--every", default="1d", metavar="LENGTH", help="A window ends each 1h, 6h, 1d, … of log time.")
@click.option("--window", metavar="LENGTH", help="How long a window is. [default: as --every]")
@click.option("--lateness", metavar="LENGTH", help="Wait for late calls this long, in log time. [default: not at all]")
@click.option("--ended-after", default="7d", metavar="LENGTH", help="Without calls for so long a campaign has ended.")
@click.option("--keep-runs", type=click.IntRange(min=1), default=100, metavar="N", help="Runs to keep.")
@click.option("--look-every", type=click.FloatRange(min=0.1), default=60.0, metavar="S", help="Seconds between looks.")
@click.option("--replay", is_flag=True, help="Begin with the first call of the store, window after window.")
@click.option("--once", is_flag=True, help="Take what is there, run what is due, and end: for cron.")
@path("--online", metavar="STATE", help="The stream that keeps one rate over all windows.")
@many("--grants", type=click.Path(path_type=Path), metavar="FILE", help="A signed grant; may be repeated.")
@many("--grant-key", "grant_keys", type=click.Path(path_type=Path), metavar="FILE", help="An issuer's public key.")
@many("--grant-revocations", type=click.Path(path_type=Path), metavar="FILE", help="The signed end of a grant.")
@click.option("--power", is_flag=True, help="Ask in each run what could have been found: some seconds more a window.")
@click.option(
    "--format",
    type=click.Choice(("auto", *DIALECTS)),
    metavar="DIALECT",
    help="auto or a dialect that `stillwatch formats` lists. [default: auto]",
)
@click.option("--fdr", type=float, help="False-discovery rate of the campaigns. [default: 0.05]")
@click.option("--seed", type=int, help="Seed of every random choice. [default: 0]")
@click.option("--calibration", metavar="FILE", help="Honest families to compare with. [default: the shipped ones]")
@click.option("--rejected-max", type=float, help="Share of bad records past which a file is refused. [default: 0.01]")
@many("--field", "fields", metavar="COLUMN=PATH", callback=mapped_fields, help="Fill a column from here in the record.")
@click.option("--model-default", metavar="MODEL", help="The model of records that name none.")
@click.option("--kafka-config", metavar="FILE", help="librdkafka settings, name=value a line; passwords go here.")
@key_option
@config_option
@json_option
@progress_option
def watch(
    store: str,
    sources: tuple[str, ...],
    out: Path,
    accounts: tuple[str, ...],
    config_file: Path | None,
    online: Path | None,
    grants: tuple[Path, ...],
    grant_keys: tuple[Path, ...],
    grant_revocations: tuple[Path, ...],
    power: bool,
    once: bool,
    as_json: bool,
    no_progress: bool,
    **options: Any,
) -> None:
    """Follow logs into a store, and tell what becomes of campaigns.

    Without --source the store is filled by others.

    SIGTERM and SIGINT end it after the step that is running; a second one ends it at once.

    \b
    Examples:
      stillwatch watch --store store --source logs --out watched --once
      stillwatch watch --store store --source logs --out watched --every 1h --window 30d --once --json
      stillwatch watch --store store --source kafka://127.0.0.1:9092/calls --out watched-topic
    """
    from stillwatch.engines import watch as engine

    own = ("every", "window", "lateness", "ended_after", "keep_runs", "look_every", "replay")
    settings = config.load(config_file, os.environ, {name: options[name] for name in options.keys() - {*own}})
    run = replace(
        request_of((), accounts, out, settings, force=True),
        online=online,
        grants=grants,
        grant_keys=grant_keys,
        grant_revocations=grant_revocations,
        power=power,
    )
    request = _watch_request(store, sources, settings, run, {name: options[name] for name in own})
    with progress(no_progress) as told:
        if not once:
            told.note(f"looking every {request.pause_s:g} s; a window ends each {options['every']} of log time")
        engine.watch(request, _Door(told, as_json), once)


def _watch_request(
    store: str, sources: tuple[str, ...], settings: config.Settings, run: Any, own: dict[str, Any]
) -> WatchRequest:
    from stillwatch.adapters.kafka import read_settings
    from stillwatch.engines.following import FollowRequest
    from stillwatch.engines.watch import WatchRequest
    from stillwatch.store.window import duration_us

    follow = FollowRequest(
        sources, store, run.out, run.format, run.rejected_max, run.read, run.key,
        read_settings(Path(settings.kafka_config)) if settings.kafka_config else {},
    )  # fmt: skip
    return WatchRequest(
        follow,
        run,
        every_us=duration_us(own["every"]),
        window_us=duration_us(own["window"] or own["every"]),
        quiet_us=duration_us(own["ended_after"]),
        lateness_us=duration_us(own["lateness"]) if own["lateness"] else 0,
        runs_kept=own["keep_runs"],
        replay=own["replay"],
        pause_s=own["look_every"],
    )


class _Door:
    """The world outside of a watch: the clock, signals, and the terminal."""

    def __init__(self, told: Progress, as_json: bool) -> None:
        self.progress = told
        self._as_json = as_json
        self._stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    def _asked(self, number: int, _: FrameType | None) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()
        # A handler may come between any two steps of a print, so that nothing is printed here.

    def now_s(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def stopping(self) -> bool:
        return self._stop.is_set()

    def tell(self, events: Sequence[Event]) -> None:
        from stillwatch.engines.telling import body_of
        from stillwatch.report import succession

        if self._as_json:
            for event in events:
                click.echo(json.dumps(body_of(event)))
        else:
            succession.show(events, console())

    def report(self, error: Error) -> None:
        click.echo(f"stillwatch: error: {error}", err=True)
        if error.hint:
            click.echo(f"stillwatch: hint: {error.hint}", err=True)

    def observer(self) -> Observer:
        from stillwatch.report.reporter import Reporter

        return Reporter()

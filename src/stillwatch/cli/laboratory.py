"""What is done without a log: simulate one, and find what was hidden in it."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import click

from stillwatch import config
from stillwatch.cli.detecting import request_of, run_detection
from stillwatch.cli.options import (
    DIALECTS,
    calls_option,
    console,
    force_option,
    json_option,
    path,
    print_json,
    progress,
    progress_option,
    seed_option,
)


@click.command()
@path("--out", required=True, metavar="DIR", help="Where the log goes.")
@click.option("--scenario", default="demo", help="What happens: demo, quiet or bench.")
@calls_option
@seed_option
@click.option(
    "--format",
    "dialect",
    type=click.Choice(DIALECTS),
    metavar="DIALECT",
    default="canonical",
    help="The log's dialect.",
)
@progress_option
def simulate(out: Path, scenario: str, calls: int | None, seed: int, dialect: str, no_progress: bool) -> None:
    """Write a day of invented traffic.

    It holds honest accounts, their look-alikes and, except in quiet, hidden campaigns.

    \b
    Examples:
      stillwatch simulate --out day
      stillwatch simulate --out quiet-day --scenario quiet --format litellm
    """
    _simulate(out, scenario, calls, seed, dialect, no_progress)
    click.echo(f"events    {out / 'events'}\naccounts  {out / 'accounts.jsonl'}\ntruth     {out / 'truth'}")


def _simulate(out: Path, scenario: str, calls: int | None, seed: int, dialect: str, no_progress: bool) -> None:
    from stillwatch.lab.scenario import scenario_named
    from stillwatch.lab.simulate import write_world
    from stillwatch.lab.world import simulate as simulate_world

    chosen = scenario_named(scenario)
    with progress(no_progress) as told:
        write_world(simulate_world(chosen, seed, calls or chosen.calls), out, dialect, told)


@click.command()
@path("--out", default="stillwatch-demo", metavar="DIR", help="Where the log and the findings go.")
@calls_option
@seed_option
@force_option
@json_option
@progress_option
def demo(out: Path, calls: int | None, seed: int, force: bool, as_json: bool, no_progress: bool) -> None:
    """Hide two campaigns in a day of traffic and find them.

    Prints what was found beside what was hidden.

    \b
    Examples:
      stillwatch demo --out demo
      stillwatch demo --out demo --force --json --no-progress
    """
    from stillwatch.lab.score import score
    from stillwatch.report import terminal

    log, found = out / "log", out / "run"
    if force:
        # Only what a demo writes: a folder that was named by mistake keeps everything else.
        shutil.rmtree(log, ignore_errors=True)
    _simulate(log, "demo", calls, seed, "canonical", no_progress)
    settings = replace(config.Settings(), seed=seed)
    request = request_of((str(log / "events"),), (str(log / "accounts.jsonl"),), found, settings, force)
    run_detection(request, no_progress)
    result = score(found, log / "truth")
    if as_json:
        print_json({"summary": terminal.summary_json(found), "score": asdict(result)})
    else:
        terminal.summary(found, console())
        click.echo(f"\n{result.text()}")

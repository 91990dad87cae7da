"""What is done without a log: simulate one, and find what was hidden in it."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from stillwatch.lab.scenario import Scenario


@click.command()
@path("--out", metavar="DIR", help="Where the log goes.")
@click.option("--scenario", default="demo", metavar="NAME", help="What happens, one that --list lists.")
@calls_option
@click.option("--scale", type=click.FloatRange(min=0, min_open=True), metavar="SHARE", help="A share of its campaign.")
@click.option("--days", type=click.IntRange(min=1), metavar="N", help="Days that a published campaign is cut to.")
@path("--prompts", metavar="FILE", help="Prompts of your own instead of invented free texts: text, JSONL, Parquet.")
@seed_option
@click.option(
    "--format",
    "dialect",
    type=click.Choice(DIALECTS),
    metavar="DIALECT",
    default="canonical",
    help="The log's dialect.",
)
@click.option("--list", "as_list", is_flag=True, help="List the scenarios and write nothing.")
@json_option
@progress_option
def simulate(
    out: Path | None,
    scenario: str,
    calls: int | None,
    scale: float | None,
    days: int | None,
    prompts: Path | None,
    seed: int,
    dialect: str,
    as_list: bool,
    as_json: bool,
    no_progress: bool,
) -> None:
    """Write a day of invented traffic, or several.

    It holds honest accounts, their look-alikes and, except where a scenario says otherwise, hidden campaigns.

    \b
    Examples:
      stillwatch simulate --list
      stillwatch simulate --out day
      stillwatch simulate --out quiet-day --scenario quiet --format litellm
    """
    from stillwatch.lab.scenario import scenario_named

    if as_list:
        _list(as_json)
        return
    if out is None:
        raise click.UsageError("expected --out, or --list")
    chosen = scenario_named(scenario)
    if scale is not None or days is not None:
        chosen = chosen.at(scale or 1.0, days)
    _simulate(out, chosen, calls, seed, dialect, no_progress, prompts)
    places = {"events": str(out / "events"), "accounts": str(out / "accounts.jsonl"), "truth": str(out / "truth")}
    if as_json:
        print_json(places)
    else:
        click.echo("\n".join(f"{name:<10}{place}" for name, place in places.items()))


def _simulate(
    out: Path,
    scenario: Scenario,
    calls: int | None,
    seed: int,
    dialect: str,
    no_progress: bool,
    prompts: Path | None = None,
) -> None:
    from stillwatch.lab.corpus import read_prompts
    from stillwatch.lab.simulate import write_world
    from stillwatch.lab.world import simulate as simulate_world

    corpus = read_prompts(prompts) if prompts else None
    with progress(no_progress) as told:
        write_world(simulate_world(scenario, seed, calls or scenario.calls, corpus), out, dialect, told)


def _list(as_json: bool) -> None:
    from rich.table import Table

    from stillwatch.lab.scenario import DEVELOPMENT, SCENARIOS
    from stillwatch.report.terminal import trimmed

    rows = [
        {
            "scenario": one.name,
            "calls": one.calls,
            "days": one.hours // 24,
            "use": "development" if one.name in DEVELOPMENT else "held out",
            "title": one.title,
        }
        for one in SCENARIOS.values()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        right = name in ("calls", "days")
        table.add_column(name.capitalize(), justify="right" if right else "left", no_wrap=name != "title")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    screen = console()
    with trimmed(screen):
        screen.print(table)
    click.echo("\nNothing may be chosen by the figures of a scenario that is held out.")


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
    from stillwatch.lab.scenario import scenario_named
    from stillwatch.lab.score import score
    from stillwatch.report import terminal

    log, found = out / "log", out / "run"
    if force:
        # Only what a demo writes: a folder that was named by mistake keeps everything else.
        shutil.rmtree(log, ignore_errors=True)
    _simulate(log, scenario_named("demo"), calls, seed, "canonical", no_progress)
    settings = replace(config.Settings(), seed=seed)
    request = request_of((str(log / "events"),), (str(log / "accounts.jsonl"),), found, settings, force)
    run_detection(request, no_progress)
    result = score(found, log / "truth")
    if as_json:
        print_json({"summary": terminal.summary_json(found), "score": asdict(result)})
    else:
        terminal.summary(found, console())
        click.echo(f"\n{result.text()}")

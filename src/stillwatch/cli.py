"""The commands; the only file that prints or exits.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch import __version__, config
from stillwatch.errors import Error

if TYPE_CHECKING:
    from rich.console import Console

    from stillwatch.engines.contract import RunOutcome, RunRequest
    from stillwatch.report.progress import Bar, Lines

EXIT_ERROR, EXIT_USAGE, EXIT_CAMPAIGN, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 10, 130, 141

DIALECTS = ("canonical", "otel", "litellm", "bedrock", "gateway", "raw-pairs")
"""Written down so that completion loads no adapter; tests/test_cli.py keeps the two in step."""

PLAIN_COLUMNS = 110
"""Width of a table that goes to a file or a pipe, where no terminal says its own."""


def main() -> None:
    """Run the command line and leave the process with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; every error ends here, as a line a person can act on."""
    try:
        status = commands.main(list(arguments), prog_name="stillwatch", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "stillwatch"
        return _complain(_lower(error.format_message()), f"{command} --help", status=EXIT_USAGE)
    except click.ClickException as error:
        return _complain(_lower(error.format_message()), status=EXIT_ERROR)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", status=EXIT_INTERRUPTED)
    except SystemExit as left:
        # Click leaves by itself where a pipe's reader went away and where a shell asks for completions.
        return EXIT_PIPE if left.code == 1 else 0
    except BrokenPipeError:
        # The reader went away at the last flush: say nothing, and keep Python from complaining as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except Exception as error:
        if os.environ.get("STILLWATCH_DEBUG"):
            raise
        return _report(error)


def _report(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error = Error("disk-full", "the disk is full", hint="free some space, or name another --out")
    if isinstance(error, Error):
        return _complain(str(error), error.hint, status=EXIT_ERROR)
    # The text of an unforeseen error may quote a log, so only its kind is shown.
    hint = "this is a bug: run again with STILLWATCH_DEBUG=1 and report the trace, without what it quotes"
    return _complain(f"unforeseen {type(error).__name__}", hint, status=EXIT_ERROR)


def _complain(message: str, hint: str = "", *, status: int) -> int:
    click.echo(f"stillwatch: error: {message}", err=True)
    if hint:
        click.echo(f"stillwatch: hint: {hint}", err=True)
    return status


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True})
@click.version_option(__version__, prog_name="stillwatch")
def commands() -> None:
    """Find industrial-scale model distillation in API logs.

    \b
    Examples:
      stillwatch demo --out demo
      stillwatch detect logs --out run
      stillwatch formats
    """


def _fields(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    mapped = dict(value.partition("=")[::2] for value in values)
    if not all(column and path for column, path in mapped.items()):
        raise click.BadParameter("expected COLUMN=PATH, for example account_id=tenant.id")
    return mapped or None


_path = partial(click.option, type=click.Path(path_type=Path))
_many = partial(click.option, multiple=True)
_config_option = _path("--config", "config_file", metavar="FILE", envvar="STILLWATCH_CONFIG", help="Settings in TOML.")
_key_option = click.option("--key-file", metavar="FILE", help="Secret behind the pseudonyms.")
_calls_option = click.option("--calls", type=click.IntRange(min=1), metavar="N", help="About how many calls.")
_seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the world.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_force_option = click.option("--force", is_flag=True, help="Replace an earlier output in --out.")
_progress_option = click.option("--no-progress", is_flag=True, help="Print no progress.")


@commands.command()
@click.argument("events", nargs=-1, required=True)
@_many("--accounts", metavar="FILE", help="Account facts; may be repeated.")
@_path("--out", required=True, metavar="DIR", help="Where findings go.")
@click.option(
    "--format",
    type=click.Choice(("auto", *DIALECTS)),
    metavar="DIALECT",
    help="auto or a dialect that `stillwatch formats` lists. [default: auto]",
)
@click.option("--engine", type=click.Choice(("embedded",)), help="Where the run happens. [default: embedded]")
@click.option("--fdr", type=float, help="False-discovery rate of the campaigns. [default: 0.05]")
@click.option("--seed", type=int, help="Seed of every random choice. [default: 0]")
@click.option("--rejected-max", type=float, help="Share of bad records that ends a run. [default: 0.01]")
@_many(
    "--field",
    "fields",
    metavar="COLUMN=PATH",
    callback=_fields,
    help="Fill a column from here in the record.",
)
@_many("--companion", "companions", metavar="FILE", help="A file that Bedrock logs join: CloudTrail.")
@click.option("--model-default", metavar="MODEL", help="The model of records that name none.")
@_key_option
@_config_option
@_force_option
@_json_option
@_progress_option
@click.option("--fail-on-campaign", is_flag=True, help=f"Exit with {EXIT_CAMPAIGN} where one was found.")
def detect(
    events: tuple[str, ...],
    accounts: tuple[str, ...],
    out: Path,
    config_file: Path | None,
    force: bool,
    as_json: bool,
    no_progress: bool,
    fail_on_campaign: bool,
    **options: Any,
) -> int:
    """Find the campaigns in logs.

    EVENTS are files, folders, globs or URLs of one log.

    Exit status: 0 the run finished, whatever it found; 1 it could not; 2 wrong usage.

    \b
    Examples:
      stillwatch detect logs --out run
      stillwatch detect logs --accounts accounts.jsonl --key-file stillwatch.key --out run --force
      stillwatch detect 'spans/*.jsonl' --format otel --field account_id=user.id --out spans-run
      stillwatch detect logs --out run --force --json --no-progress --fail-on-campaign
    """
    from stillwatch.report import terminal

    settings = config.load(config_file, os.environ, options)
    outcome = _detect(_request(events, accounts, out, settings, force), no_progress)
    if as_json:
        _print_json(terminal.summary_json(outcome.run_dir))
    else:
        terminal.summary(outcome.run_dir, _console())
    return EXIT_CAMPAIGN if fail_on_campaign and outcome.campaigns_count else 0


def _request(
    events: tuple[str, ...], accounts: tuple[str, ...], out: Path, settings: config.Settings, force: bool
) -> RunRequest:
    from stillwatch.adapters.contract import ReadSettings
    from stillwatch.adapters.source import list_files
    from stillwatch.engines.contract import RunRequest
    from stillwatch.pseudonym import UNKEYED

    return RunRequest(
        events=events,
        accounts=accounts,
        out=out,
        format=settings.format,
        engine=settings.engine,
        fdr=settings.fdr,
        seed=settings.seed,
        rejected_max=settings.rejected_max,
        read=ReadSettings(
            fields=settings.fields,
            model_default=settings.model_default,
            sampled_weight=settings.sampled_weight,
            companions=tuple(list_files(settings.companions)) if settings.companions else (),
            body_root=settings.body_root,
        ),
        key=config.read_key(settings.key_file) or UNKEYED,
        force=force,
    )


def _detect(request: RunRequest, no_progress: bool) -> RunOutcome:
    from stillwatch.engines import run as engine
    from stillwatch.report.reporter import Reporter

    with _progress(no_progress) as progress:
        return engine.detect(request, progress, Reporter())


@commands.command()
@click.argument("name")
@_path("--run", "run_dir", required=True, metavar="DIR", help="The folder that detect wrote.")
@_key_option
@_config_option
@_json_option
def explain(name: str, run_dir: Path, key_file: str | None, config_file: Path | None, as_json: bool) -> None:
    """Say why a campaign or an account was found, or not.

    NAME is a campaign's id, six of its first digits or more, or an account's id.

    \b
    Examples:
      stillwatch explain acct-unknown --run run
      stillwatch explain acct-unknown --run run --json
    """
    import pyarrow as pa

    from stillwatch.kernels.pseudonyms import pseudonyms
    from stillwatch.kernels.tracer import TraceKeys
    from stillwatch.pseudonym import UNKEYED
    from stillwatch.report import explain as report

    settings = config.load(config_file, os.environ, {"key_file": key_file})
    keys = TraceKeys.derive(config.read_key(settings.key_file) or UNKEYED)
    account_key = int(pseudonyms(pa.array([name]), keys.identifiers)[0])
    explanation = report.explain(run_dir, name, account_key)
    if as_json:
        _print_json(asdict(explanation))
    else:
        report.show(explanation, _console())


@commands.command()
@_path("--out", required=True, metavar="DIR", help="Where the log goes.")
@click.option("--scenario", default="demo", help="What happens: demo, quiet or bench.")
@_calls_option
@_seed_option
@click.option(
    "--format",
    "dialect",
    type=click.Choice(DIALECTS),
    metavar="DIALECT",
    default="canonical",
    help="The log's dialect.",
)
@_progress_option
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
    with _progress(no_progress) as progress:
        write_world(simulate_world(chosen, seed, calls or chosen.calls), out, dialect, progress)


@commands.command()
@_path("--out", default="stillwatch-demo", metavar="DIR", help="Where the log and the findings go.")
@_calls_option
@_seed_option
@_force_option
@_json_option
@_progress_option
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
    request = _request((str(log / "events"),), (str(log / "accounts.jsonl"),), found, settings, force)
    _detect(request, no_progress)
    result = score(found, log / "truth")
    if as_json:
        _print_json({"summary": terminal.summary_json(found), "score": asdict(result)})
    else:
        terminal.summary(found, _console())
        click.echo(f"\n{result.text()}")


@commands.command()
@click.argument("dialect", required=False, type=click.Choice(DIALECTS))
@_json_option
def formats(dialect: str | None, as_json: bool) -> None:
    """List the dialects of logs and what each carries.

    \b
    Examples:
      stillwatch formats
      stillwatch formats gateway
      stillwatch formats --json
    """
    from stillwatch.adapters.choice import ADAPTERS, adapter_named
    from stillwatch.report import dialects

    shown = [adapter_named(dialect).DIALECT] if dialect else [adapter.DIALECT for adapter in ADAPTERS]
    if as_json:
        _print_json([dialects.as_json(each) for each in shown])
    elif dialect:
        dialects.card(shown[0], _console())
    else:
        dialects.matrix(shown, _console())


@commands.command()
@click.argument("shell", required=False, default="bash", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    \b
    Examples:
      stillwatch completion bash
      stillwatch completion fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(commands, {}, "stillwatch", "_STILLWATCH_COMPLETE").source())


def _progress(no_progress: bool) -> Bar | Lines:
    from rich.console import Console

    from stillwatch.report.progress import Bar, Lines

    if sys.stderr.isatty() and not no_progress:
        return Bar(Console(stderr=True))
    return Lines(lambda line: click.echo(line, err=True), time.monotonic, quiet=no_progress)


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS, highlight=False)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))

"""What is done with a log: find campaigns, explain what was found, list what can be read."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch import config
from stillwatch.cli.options import (
    DIALECTS,
    config_option,
    console,
    force_option,
    json_option,
    key_option,
    many,
    path,
    print_json,
    progress,
    progress_option,
)

if TYPE_CHECKING:
    from stillwatch.engines.contract import RunOutcome, RunRequest
    from stillwatch.store.window import Window

EXIT_CAMPAIGN = 10

DEFAULT_WINDOW = "30d"


def mapped_fields(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    """Read the values of --field as columns and paths."""
    return _mapped(values, "expected COLUMN=PATH, for example account_id=tenant.id")


def _spark_conf(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    return _mapped(values, "expected NAME=VALUE, for example spark.executor.memory=8g")


def _mapped(values: tuple[str, ...], expected: str) -> dict[str, str] | None:
    mapped = dict(value.partition("=")[::2] for value in values)
    if not all(name and value for name, value in mapped.items()):
        raise click.BadParameter(expected)
    return mapped or None


@click.command()
@click.argument("events", nargs=-1)
@click.option("--store", metavar="DIR", help="Look at a window of a store instead of logs.")
@click.option("--window", metavar="LENGTH", help="With --store: how far back, such as 12h, 30d, 8w. [default: 30d]")
@click.option("--until", metavar="TIME", help="With --store: the window's end. [default: after the newest hour]")
@many("--accounts", metavar="FILE", help="Account facts; may be repeated.")
@path("--out", required=True, metavar="DIR", help="Where findings go.")
@click.option(
    "--format",
    type=click.Choice(("auto", *DIALECTS)),
    metavar="DIALECT",
    help="auto or a dialect that `stillwatch formats` lists. [default: auto]",
)
@click.option("--engine", type=click.Choice(("embedded", "spark")), help="Where the run happens. [default: embedded]")
@click.option("--spark-master", metavar="URL", help="Spark's master. [default: this machine]")
@click.option("--spark-remote", metavar="URL", help="A Spark Connect server, such as sc://host.")
@many("--spark-conf", metavar="NAME=VALUE", callback=_spark_conf, help="A setting of Spark; may be repeated.")
@click.option("--fdr", type=float, help="False-discovery rate of the campaigns. [default: 0.05]")
@click.option("--seed", type=int, help="Seed of every random choice. [default: 0]")
@click.option("--calibration", metavar="FILE", help="Honest families to compare with. [default: the shipped ones]")
@click.option("--semantic", metavar="MODEL_DIR", help="Embed texts with this local model, to meet paraphrases.")
@path("--online", metavar="STATE", help="The stream of windows that this log is the next of.")
@many("--grants", type=click.Path(path_type=Path), metavar="FILE", help="A signed grant; may be repeated.")
@many("--grant-key", "grant_keys", type=click.Path(path_type=Path), metavar="FILE", help="An issuer's public key.")
@many("--grant-revocations", type=click.Path(path_type=Path), metavar="FILE", help="The signed end of a grant.")
@many(
    "--grants-used",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="An earlier run whose calls count against the grants; may be repeated.",
)
@click.option("--no-power", is_flag=True, help="Do not ask what could have been found: saves some seconds.")
@click.option("--rejected-max", type=float, help="Share of bad records that ends a run. [default: 0.01]")
@many(
    "--field",
    "fields",
    metavar="COLUMN=PATH",
    callback=mapped_fields,
    help="Fill a column from here in the record.",
)
@many("--companion", "companions", metavar="FILE", help="A file that Bedrock logs join: CloudTrail.")
@click.option("--model-default", metavar="MODEL", help="The model of records that name none.")
@key_option
@config_option
@force_option
@json_option
@progress_option
@click.option("--fail-on-campaign", is_flag=True, help=f"Exit with {EXIT_CAMPAIGN} where one was found.")
def detect(
    events: tuple[str, ...],
    store: str | None,
    window: str | None,
    until: str | None,
    accounts: tuple[str, ...],
    out: Path,
    config_file: Path | None,
    online: Path | None,
    grants: tuple[Path, ...],
    grant_keys: tuple[Path, ...],
    grant_revocations: tuple[Path, ...],
    grants_used: tuple[Path, ...],
    no_power: bool,
    force: bool,
    as_json: bool,
    no_progress: bool,
    fail_on_campaign: bool,
    **options: Any,
) -> int:
    """Find the campaigns in logs, or in a store that `stillwatch ingest` keeps.

    EVENTS are files, folders, globs or URLs of one log; on Spark also tables, such as spark:lake.logs.calls. With
    --store there are none.

    Exit status: 0 the run finished, whatever it found; 1 it could not; 2 wrong usage.

    \b
    Examples:
      stillwatch detect logs --out run
      stillwatch detect logs --accounts accounts.jsonl --key-file stillwatch.key --out run --force
      stillwatch detect 'spans/*.jsonl' --format otel --field account_id=user.id --out spans-run
      stillwatch detect logs --calibration mine.json --online stream.json --out run --force
      stillwatch detect logs --grants grant.json --grant-key issuer.pub --out run --force
      stillwatch detect --store store --window 30d --out run --force
      stillwatch detect logs --out run --force --json --no-progress --fail-on-campaign
    """
    from stillwatch.report import terminal

    _one_origin(events, store, window, until)
    settings = config.load(config_file, os.environ, options)
    request = replace(
        request_of(events, accounts, out, settings, force),
        store=store,
        window=_window(window, until) if store else None,
        online=online,
        grants=grants,
        grant_keys=grant_keys,
        grant_revocations=grant_revocations,
        grants_used=grants_used,
        power=not no_power,
    )
    outcome = run_detection(request, no_progress)
    if as_json:
        print_json(terminal.summary_json(outcome.run_dir))
    else:
        terminal.summary(outcome.run_dir, console())
    return EXIT_CAMPAIGN if fail_on_campaign and outcome.campaigns_count else 0


def _one_origin(events: tuple[str, ...], store: str | None, window: str | None, until: str | None) -> None:
    if bool(events) == (store is not None):
        raise click.UsageError("expected EVENTS, or --store and no EVENTS")
    if store is None and (window or until):
        raise click.UsageError("--window and --until need --store")


def _window(length: str | None, until: str | None) -> Window:
    from stillwatch.store.window import Window

    return Window.of(length or DEFAULT_WINDOW, until)


def request_of(
    events: tuple[str, ...], accounts: tuple[str, ...], out: Path, settings: config.Settings, force: bool
) -> RunRequest:
    """Return what a run is asked, from settings that every source has been merged into."""
    from stillwatch.adapters.contract import ReadSettings
    from stillwatch.adapters.source import list_files
    from stillwatch.engines.contract import RunRequest, SparkAsk
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
        calibration=Path(settings.calibration) if settings.calibration else None,
        semantic=Path(settings.semantic) if settings.semantic else None,
        force=force,
        spark=SparkAsk(settings.spark_master, settings.spark_remote, settings.spark_conf),
    )


def run_detection(request: RunRequest, no_progress: bool) -> RunOutcome:
    """Run detection with the report as observer, and tell whoever waits how far it is."""
    from stillwatch.engines import run as engine
    from stillwatch.report.reporter import Reporter

    if request.semantic:
        # Batches are small and every core is busy: threads of the tokeniser would wait longer than they work.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with progress(no_progress) as told:
        return engine.detect(request, told, Reporter())


@click.command()
@click.argument("name")
@path("--run", "run_dir", required=True, metavar="DIR", help="The folder that detect wrote.")
@key_option
@config_option
@json_option
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
        print_json(asdict(explanation))
    else:
        report.show(explanation, console())


@click.command()
@click.argument("dialect", required=False, type=click.Choice(DIALECTS))
@json_option
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
        print_json([dialects.as_json(each) for each in shown])
    elif dialect:
        dialects.card(shown[0], console())
    else:
        dialects.matrix(shown, console())

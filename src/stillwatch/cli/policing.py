"""Policies of the gate: checked, tested, explained, and rehearsed on a log before anybody feels them."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch import config
from stillwatch.cli.options import (
    DIALECTS,
    config_option,
    console,
    json_option,
    key_option,
    many,
    path,
    print_json,
    progress,
    progress_option,
)
from stillwatch.errors import Error

if TYPE_CHECKING:
    from stillwatch.adapters.contract import ReadSettings
    from stillwatch.gate.contract import Snapshot
    from stillwatch.gate.rehearsal import Rehearsal

EXIT_FAILED = 1

snapshot_option = path("--snapshot", metavar="FILE", help="What is known of accounts. [default: nobody is known]")
snapshot_key_option = many(
    "--snapshot-key",
    "snapshot_keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A public key that signs snapshots; may be repeated.",
)
policy_argument = click.argument("policy", metavar="POLICY", type=click.Path(path_type=Path))


@click.group()
def policy() -> None:
    """Check, test, explain and rehearse what the gate does with calls.

    POLICY is a file, or a policy that comes with the package: observe, cautious, strict.

    \b
    Examples:
      stillwatch policy show cautious
      stillwatch policy lint policy.yaml
      stillwatch policy test policy.yaml policy.cases.yaml
    """


@policy.command()
@policy_argument
@json_option
def lint(policy: Path, as_json: bool) -> int:
    """List everything that is wrong with a policy, by line.

    Exit status: 0 it can be loaded and does what it says, maybe with warnings; 1 it has errors; 2 wrong usage.

    \b
    Examples:
      stillwatch policy lint policy.yaml
      stillwatch policy lint policy.yaml --json
    """
    from stillwatch.gate.policy_file import read
    from stillwatch.gate.review import review
    from stillwatch.gate.shipped import policy_text
    from stillwatch.report import policing

    problems = review(read(policy_text(policy), str(policy)), _now_us())
    if as_json:
        print_json([asdict(each) for each in problems])
    else:
        for line in policing.problem_lines(problems, str(policy)):
            click.echo(line)
        click.echo(policing.lint_verdict(problems, str(policy)))
    return EXIT_FAILED if any(each.level == "error" for each in problems) else 0


@policy.command(name="test")
@policy_argument
@click.argument("cases", required=False, type=click.Path(path_type=Path))
@json_option
def run_cases(policy: Path, cases: Path | None, as_json: bool) -> int:
    """Run the cases of a policy: facts, and what is expected to come of them.

    A policy that comes with the package brings its own CASES.

    Exit status: 0 all passed; 1 one did not; 2 wrong usage.

    \b
    Examples:
      stillwatch policy test policy.yaml policy.cases.yaml
      stillwatch policy test strict
    """
    from stillwatch.gate.policy import load
    from stillwatch.gate.policy_cases import read_cases, run_case
    from stillwatch.gate.shipped import SHIPPED, cases_text
    from stillwatch.report import policing

    if cases is None and str(policy) not in SHIPPED:
        raise click.UsageError("expected a file of CASES after the policy")
    found = read_cases(cases_text(cases or policy), str(cases or policy))
    compiled = load(policy, found.now_us)
    ran = [run_case(compiled, line, case, found.now_us) for line, case in found.cases]
    if as_json:
        print_json([asdict(each) for each in ran])
    else:
        click.echo("\n".join(policing.case_lines(ran, str(cases or policy))))
    return EXIT_FAILED if any(each.differs for each in ran) else 0


@policy.command()
@policy_argument
@click.argument("situation", type=click.Path(path_type=Path))
@snapshot_option
@snapshot_key_option
@key_option
@config_option
@json_option
def explain(
    policy: Path,
    situation: Path,
    snapshot: Path | None,
    snapshot_keys: tuple[Path, ...],
    config_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say what is done with one call, which rules were looked at, and why.

    SITUATION is JSON or YAML: facts, or parts of a call, of what is recognised and of what is remembered, by name. With
    a snapshot the call is looked up in it.

    \b
    Examples:
      stillwatch policy explain cautious situation.json
      stillwatch policy explain strict situation.json --json
    """
    from stillwatch.gate.decision import facts_of
    from stillwatch.gate.policy import load
    from stillwatch.gate.situations import read_situation, told
    from stillwatch.gate.yaml_text import read_text
    from stillwatch.report import policing

    now_us, secret = _now_us(), _secret(config_file, options)
    compiled = load(policy, now_us, secret)
    asked = read_situation(read_text(situation), str(situation), now_us)
    if snapshot is not None:
        call, _, observed = asked
        asked = call, _snapshot(snapshot, snapshot_keys, secret, now_us).recognise(call), observed
    decision, looks = compiled.explained(*asked)
    facts = facts_of(*asked)
    if as_json:
        looked = [asdict(look) for look in looks]
        print_json({"policy": compiled.ident, "decision": told(decision), "facts": asdict(facts), "rules": looked})
    else:
        click.echo("\n".join(policing.explanation(told(decision), facts, looks, compiled.ident)))


@policy.command()
@policy_argument
@many("--events", "events", required=True, metavar="LOG", help="A log of calls; may be repeated.")
@path("--against", required=True, metavar="OTHER", help="The policy to compare with, such as the one in force.")
@snapshot_option
@snapshot_key_option
@click.option("--format", type=click.Choice(("auto", *DIALECTS)), metavar="DIALECT", help="The log's dialect.")
@key_option
@config_option
@json_option
@progress_option
def replay(
    policy: Path,
    events: tuple[str, ...],
    against: Path,
    snapshot: Path | None,
    snapshot_keys: tuple[Path, ...],
    config_file: Path | None,
    as_json: bool,
    no_progress: bool,
    **options: Any,
) -> None:
    """Say who would be treated differently by POLICY than by another, had it been in force over a log.

    \b
    Examples:
      stillwatch policy replay strict --events logs --against observe
      stillwatch policy replay policy.yaml --events logs --against cautious --key-file stillwatch.key --json
    """
    from stillwatch.gate.memory import MemoryState
    from stillwatch.gate.policy import load
    from stillwatch.gate.rehearsal import Rehearsal, as_plain
    from stillwatch.kernels.tracer import TraceKeys
    from stillwatch.report import policing

    settings = config.load(config_file, os.environ, options)
    now_us, secret = _now_us(), _secret(config_file, options)
    policies = load(against, now_us, secret), load(policy, now_us, secret)
    keys = TraceKeys.derive(secret)
    known = _snapshot(snapshot, snapshot_keys, secret, now_us)
    rehearsal = Rehearsal(policies, known, (MemoryState(), MemoryState()), keys.identifiers)
    _follow(rehearsal, events, settings, no_progress)
    found = rehearsal.outlook()
    if as_json:
        print_json(as_plain(found))
    else:
        policing.outlook(found, console())


@policy.command()
def schema() -> None:
    """Print the JSON schema of a policy, for an editor that checks what is typed.

    \b
    Examples:
      stillwatch policy schema
    """
    from stillwatch.gate.policy_file import schema as schema_of

    print_json(schema_of())


@policy.command()
@policy_argument
@click.option("--text", is_flag=True, help="Print the file itself, to begin one's own with.")
def show(policy: Path, text: bool) -> None:
    """Show what a policy does.

    \b
    Examples:
      stillwatch policy show strict
      stillwatch policy show cautious --text
    """
    from stillwatch.gate.policy import load
    from stillwatch.gate.shipped import policy_text
    from stillwatch.report import policing

    if text:
        click.echo(policy_text(policy), nl=False)
    else:
        policing.show(load(policy, _now_us()), console())


def _follow(rehearsal: Rehearsal, events: tuple[str, ...], settings: config.Settings, no_progress: bool) -> None:
    """Take every call of the log, and tell whoever waits how far it is."""
    from stillwatch.adapters.source import list_files
    from stillwatch.gate.rehearsal import read_calls

    files = list_files(events)
    with progress(no_progress) as told:

        async def follow() -> int:
            rows = 0
            calls = read_calls(files, settings.format, _read_settings(settings), rehearsal.reject, told.advance)
            for call, reply in calls:
                await rehearsal.add(call, reply)
                rows += 1
            return rows

        told.begin("rehearsing", sum(file.size_bytes for file in files))
        begun = time.monotonic()
        rows = asyncio.run(follow())
        told.end("rehearsing", time.monotonic() - begun, rows)


def _read_settings(settings: config.Settings) -> ReadSettings:
    from stillwatch.adapters.contract import ReadSettings
    from stillwatch.adapters.source import list_files

    return ReadSettings(
        fields=settings.fields,
        model_default=settings.model_default,
        sampled_weight=settings.sampled_weight,
        companions=tuple(list_files(settings.companions)) if settings.companions else (),
        body_root=settings.body_root,
    )


def _snapshot(file: Path | None, keys: tuple[Path, ...], secret: bytes, now_us: int) -> Snapshot:
    from stillwatch.evidence.signing import read_key
    from stillwatch.gate.rehearsal import Nobody
    from stillwatch.gate.snapshot import open_snapshot
    from stillwatch.kernels.tracer import TraceKeys

    if file is None:
        return Nobody(TraceKeys.derive(secret).identifiers)
    if not keys:
        raise Error(
            "snapshot-key-missing",
            "a snapshot is read only where its signature can be checked",
            hint="name the public key of whoever builds snapshots: --snapshot-key",
        )
    pems = {str(path): read_key(path) for path in keys}
    return open_snapshot(file, pems, secret, now_us)


def _secret(config_file: Path | None, options: dict[str, Any]) -> bytes:
    """Return the secret behind pseudonyms, appeal references and jitter."""
    from stillwatch.pseudonym import UNKEYED

    return config.read_key(config.load(config_file, os.environ, options).key_file) or UNKEYED


def _now_us() -> int:
    return round(datetime.now(UTC).timestamp() * 1e6)

"""Snapshots and sanctions: what a gate decides from, built and signed here."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch import config
from stillwatch.cli.options import force_option, json_option, key_option, many, path, print_json, write_new
from stillwatch.errors import Error

if TYPE_CHECKING:
    import numpy as np

    from stillwatch.evidence.sanctions import SignedList
    from stillwatch.gate.snapshot_file import SnapshotFile

LIFE_DAYS = 30
"""How long a snapshot holds unless it is said: long enough to outlive a broken build, short enough to forget."""

trusted_option = many(
    "--key", "keys", required=True, type=click.Path(path_type=Path), metavar="FILE", help="A public key you trust."
)


@click.group()
def snapshot() -> None:
    """Build, show and verify what a gate decides from.

    \b
    Examples:
      stillwatch snapshot show new.snapshot --key issuer.pub
      stillwatch snapshot verify new.snapshot --key issuer.pub --key-file stillwatch.key
    """


@snapshot.command()
@many("--run", "runs", type=click.Path(path_type=Path), metavar="DIR", help="A run's folder; may be repeated.")
@many("--policy", "policies", type=click.Path(path_type=Path), metavar="FILE", help="A policy that it goes with.")
@many("--grants", "grants", type=click.Path(path_type=Path), metavar="FILE", help="A signed grant; may be repeated.")
@many("--grant-key", "grant_keys", type=click.Path(path_type=Path), metavar="FILE", help="A public key of issuers.")
@many(
    "--grant-revocations", "ended", type=click.Path(path_type=Path), metavar="FILE", help="The signed end of a grant."
)
@many("--sanctions", "lists", type=click.Path(path_type=Path), metavar="FILE", help="A signed list of sanctions.")
@many("--sanction-key", "list_keys", type=click.Path(path_type=Path), metavar="FILE", help="A public key of boards.")
@many("--accounts", metavar="FILE", help="Account facts, for who is verified; may be repeated.")
@path("--key", required=True, metavar="FILE", help="The private key to sign with.")
@key_option
@path("--out", required=True, metavar="FILE", help="Where the snapshot goes; an earlier one is replaced.")
@click.option("--expires", metavar="TIME", help=f"When it ends, RFC 3339. [default: in {LIFE_DAYS} days]")
@click.option("--sequence", type=click.IntRange(min=0), metavar="N", help="Its number. [default: the time]")
def build(
    runs: tuple[Path, ...],
    policies: tuple[Path, ...],
    grants: tuple[Path, ...],
    grant_keys: tuple[Path, ...],
    ended: tuple[Path, ...],
    lists: tuple[Path, ...],
    list_keys: tuple[Path, ...],
    accounts: tuple[str, ...],
    key: Path,
    key_file: str | None,
    out: Path,
    expires: str | None,
    sequence: int | None,
) -> None:
    """Build a snapshot of what runs found and people decided, and sign it.

    A gate takes no snapshot whose number is not greater than that of the one it has.

    \b
    Examples:
      stillwatch snapshot build --run run --key issuer.key --out gate.snapshot
      stillwatch snapshot build --run run --sanctions sanctions.json --sanction-key issuer.pub \\
        --grants grant.json --grant-key issuer.pub --accounts accounts.jsonl --key issuer.key --out gate.snapshot
    """
    from stillwatch.evidence import grants as granting
    from stillwatch.evidence import revocations
    from stillwatch.evidence import sanctions as sanctioning
    from stillwatch.evidence.signing import read_key
    from stillwatch.gate import snapshot_build, snapshot_file
    from stillwatch.gate.run_files import RunFiles
    from stillwatch.pseudonym import UNKEYED

    secret = config.read_key(key_file) or UNKEYED
    now = datetime.now(UTC)
    now_us, expires_us = _micros(now), _ends(expires, now)
    given = snapshot_build.Given(
        secret=secret,
        now_us=now_us,
        expires_us=expires_us,
        sequence=now_us if sequence is None else sequence,
        runs=[RunFiles.read(each, secret) for each in runs],
        sanctions=sanctioning.load(lists, list_keys) if lists else (),
        grants=revocations.apply(granting.load(grants, grant_keys), revocations.load(ended, grant_keys))
        if grants
        else (),
        policies={each.name: _digest_of(each) for each in policies},
        verified=_verified(accounts, secret),
    )
    head, columns = snapshot_build.build(given)
    out.parent.mkdir(parents=True, exist_ok=True)
    ident = snapshot_file.write(out, head, columns, read_key(key))
    click.echo(f"snapshot  {ident}\nwritten   {out}")
    for name, count in {**head.counts, **head.left_out}.items():
        click.echo(f"{count:>9} {name.replace('_', ' ')}")


@snapshot.command()
@click.argument("file", type=click.Path(path_type=Path))
@trusted_option
@json_option
def show(file: Path, keys: tuple[Path, ...], as_json: bool) -> None:
    """Show what a snapshot says of itself, once a key you trust is seen to have signed it.

    \b
    Examples:
      stillwatch snapshot show new.snapshot --key issuer.pub
      stillwatch snapshot show new.snapshot --key issuer.pub --json
    """
    _say(_read(file, keys), as_json)


@snapshot.command()
@click.argument("file", type=click.Path(path_type=Path))
@trusted_option
@key_option
@json_option
def verify(file: Path, keys: tuple[Path, ...], key_file: str | None, as_json: bool) -> None:
    """Check that a gate would take a snapshot now: its signature, its secret, its time, its columns.

    Exit status: 0 it would; 1 it would not; 2 wrong usage.

    \b
    Examples:
      stillwatch snapshot verify new.snapshot --key issuer.pub --key-file stillwatch.key
    """
    from stillwatch.evidence.signing import read_key
    from stillwatch.gate.snapshot import open_snapshot
    from stillwatch.pseudonym import UNKEYED

    trusted = {str(each): read_key(each) for each in keys}
    open_snapshot(file, trusted, config.read_key(key_file) or UNKEYED, _micros(datetime.now(UTC)))
    _say(_read(file, keys), as_json)


@click.group()
def sanction() -> None:
    """Sign and verify what people decided about accounts and campaigns.

    \b
    Examples:
      stillwatch sanction inspect sanctions.json
      stillwatch sanction verify sanctions.json --key issuer.pub
    """


@sanction.command(name="issue")
@click.argument("decisions", type=click.Path(path_type=Path))
@path("--key", required=True, metavar="FILE", help="The private key to sign with.")
@click.option("--issuer", required=True, metavar="WORDS", help="Who signs.")
@click.option("--issued", metavar="TIME", help="When it was issued, RFC 3339. [default: now]")
@path("--out", required=True, metavar="FILE", help="Where the list goes.")
@force_option
def issue_list(decisions: Path, key: Path, issuer: str, issued: str | None, out: Path, force: bool) -> None:
    """Sign DECISIONS, a file with one in JSON on each line.

    \b
    Examples:
      stillwatch sanction issue decisions.jsonl --key issuer.key --issuer "The provider" --out list.json --force
    """
    from stillwatch.evidence import sanctions
    from stillwatch.evidence.signing import read_key

    entries = sanctions.entries(sanctions.read_text(decisions), str(decisions))
    listed = sanctions.SanctionList("", issuer, issued or _said(datetime.now(UTC)), entries)
    text = sanctions.issue(listed, read_key(key))
    write_new(out, text, force)
    click.echo(f"list      {sanctions.inspect(text).listed.list_id}\nwritten   {out}")


@sanction.command(name="inspect")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def inspect_list(file: Path, as_json: bool) -> None:
    """Show what a list of sanctions says, without checking who signed it.

    \b
    Examples:
      stillwatch sanction inspect sanctions.json
    """
    from stillwatch.evidence import sanctions

    _say_list(sanctions.inspect(sanctions.read_text(file), str(file)), False, as_json)


@sanction.command(name="verify")
@click.argument("file", type=click.Path(path_type=Path))
@trusted_option
@json_option
def verify_list(file: Path, keys: tuple[Path, ...], as_json: bool) -> None:
    """Check that one of the keys you trust signed a list of sanctions.

    Exit status: 0 it holds; 1 it does not; 2 wrong usage.

    \b
    Examples:
      stillwatch sanction verify sanctions.json --key issuer.pub
    """
    from stillwatch.evidence import sanctions
    from stillwatch.evidence.signing import read_key

    trusted = {str(each): read_key(each) for each in keys}
    _say_list(sanctions.verified(sanctions.read_text(file), trusted, str(file)), True, as_json)


def _ends(expires: str | None, now: datetime) -> int:
    from stillwatch.gate.snapshot_file import LIFE_DAYS_MAX
    from stillwatch.grant import micros

    try:
        ends = _micros(now + timedelta(days=LIFE_DAYS)) if expires is None else micros(expires)
    except (ValueError, OverflowError) as error:
        raise click.UsageError("--expires is no time in RFC 3339 with an offset") from error
    if not _micros(now) < ends <= _micros(now + timedelta(days=LIFE_DAYS_MAX)):
        raise Error("snapshot-life", f"expected an end within {LIFE_DAYS_MAX} days from now, got another")
    return ends


def _verified(accounts: tuple[str, ...], secret: bytes) -> np.ndarray:
    from stillwatch.adapters.accounts import account_batches
    from stillwatch.adapters.source import list_files
    from stillwatch.gate.snapshot_build import verified_keys

    if not accounts:
        return verified_keys((), secret)
    return verified_keys(account_batches(list_files(accounts), lambda rejection: None), secret)


def _digest_of(file: Path) -> str:
    try:
        return hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()
    except OSError as error:
        raise click.UsageError(f"the policy {file} cannot be read") from error


def _read(file: Path, keys: tuple[Path, ...]) -> SnapshotFile:
    from stillwatch.evidence.signing import read_key
    from stillwatch.gate import snapshot_file

    return snapshot_file.read(file, {str(each): read_key(each) for each in keys})


def _say(found: SnapshotFile, as_json: bool) -> None:
    head = found.head
    said = {
        "snapshot": found.ident,
        "signed": found.signer,
        "made": _said(datetime.fromtimestamp(head.created_us / 1e6, UTC)),
        "expires": _said(datetime.fromtimestamp(head.expires_us / 1e6, UTC)),
        "sequence": head.sequence,
        "secret": head.key,
        "runs": list(head.runs),
        "policies": head.policies,
        "counts": head.counts,
        "left_out": head.left_out,
    }
    if as_json:
        print_json(said)
        return
    for label, value in said.items():
        shown = value.items() if isinstance(value, dict) else [("", value)]
        for name, one in shown:
            text = ", ".join(one) if isinstance(one, list) else one
            click.echo(f"{label.replace('_', ' '):<10}{name.replace('_', ' ')}{': ' if name else ''}{text}")


def _say_list(found: SignedList, is_verified: bool, as_json: bool) -> None:
    from stillwatch.report import wording

    listed = found.listed
    if as_json:
        print_json({**asdict(listed), "key": found.key, "verified": is_verified})
        return
    by = f"by key {wording.printable(found.key)}"
    click.echo(f"list      {wording.printable(listed.list_id)}")
    click.echo(f"signed    {f'{by}, verified' if is_verified else f'it says {by}; NOT verified'}")
    click.echo(f"issued    {wording.moment(listed.issued)} by {wording.printable(listed.issuer)}")
    for one in listed.sanctions:
        subjects = (
            f"{len(one.accounts)} accounts, {len(one.organizations)} organisations, {len(one.campaigns)} campaigns"
        )
        until = f"{wording.moment(one.not_before)} until before {wording.moment(one.expires)}"
        click.echo(f"{one.standing:<10}{wording.printable(one.sanction_id)}: {subjects}; {one.reason}; {until}")


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


def _said(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")

"""Grants: authorised distillation, signed by whoever allows it, inspected and verified, ended and accounted for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.cli.options import console, force_option, json_option, many, path, print_json, write_new
from stillwatch.errors import Error

if TYPE_CHECKING:
    from stillwatch.evidence.grants import SignedGrant

file_argument = click.argument("file", type=click.Path(path_type=Path))
revocations_option = many(
    "--revocations",
    "revocation_files",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The signed end of a grant; may be repeated.",
)


@click.group()
def grant() -> None:
    """Issue, verify and end grants: who may distil, how much and until when.

    \b
    Examples:
      stillwatch grant keygen --out new-issuer
      stillwatch grant inspect grant.json
      stillwatch grant verify grant.json --key issuer.pub
    """


@grant.command()
@path("--out", required=True, metavar="NAME", help="NAME.key gets the private key, NAME.pub the public one.")
def keygen(out: Path) -> None:
    """Make a pair of keys to sign grants with.

    The private key is not encrypted, and its owner alone can read it. Keys are never replaced.

    \b
    Examples:
      stillwatch grant keygen --out second-issuer
    """
    from stillwatch.evidence.signing import key_ident, new_private_key, public_key, write_key_pair

    private = new_private_key()
    public = public_key(private)
    private_path, public_path = (out.with_name(out.name + suffix) for suffix in (".key", ".pub"))
    write_key_pair(private_path, private, public_path, public)
    click.echo(f"private   {private_path}\npublic    {public_path}\nkey       {key_ident(public)}")


@grant.command()
@path("--key", required=True, metavar="FILE", help="The issuer's private key.")
@click.option("--grantee", required=True, metavar="WORDS", help="Who may.")
@many("--organization", "organizations", metavar="ID", help="Whose accounts it covers; may be repeated.")
@many("--account", "accounts", metavar="ID", help="An account that it covers; may be repeated.")
@many("--model", "models", required=True, metavar="MODEL", help="A model, spelt as requested; may be repeated.")
@click.option("--purpose", required=True, metavar="WORDS", help="What for.")
@click.option("--calls-max", required=True, type=click.IntRange(min=1), metavar="N", help="Calls in all.")
@click.option(
    "--output-tokens-max", required=True, type=click.IntRange(min=1), metavar="N", help="Output tokens in all."
)
@click.option("--not-before", required=True, metavar="TIME", help="When it begins, RFC 3339.")
@click.option("--expires", required=True, metavar="TIME", help="The first moment that it no longer covers, RFC 3339.")
@click.option("--issuer", required=True, metavar="WORDS", help="Who allows it.")
@click.option("--issued", metavar="TIME", help="When it was issued, RFC 3339. [default: now]")
@path("--out", required=True, metavar="FILE", help="Where the grant goes.")
@force_option
def issue(key: Path, out: Path, issued: str | None, force: bool, **said: object) -> None:
    """Sign a grant.

    Accounts and organisations are ids as they stand in the log, or `pseudonym:` and 16 hex digits.

    \b
    Examples:
      stillwatch grant issue --key issuer.key --grantee "Example Ltd" --organization org-example \\
        --model model-a --purpose "an on-device model" --calls-max 1000000 --output-tokens-max 500000000 \\
        --not-before 2026-09-01T00:00:00Z --expires 2027-09-01T00:00:00Z --issuer "The provider" \\
        --out example-grant.json --force
    """
    from stillwatch.evidence import grants
    from stillwatch.evidence.signing import read_key
    from stillwatch.grant import Grant

    # Options are named as the fields are, and click gave each its field's type.
    said_by_issuer = Grant(grant_id="", issued=issued or _now(), **said)  # type: ignore[arg-type]
    text = grants.issue(said_by_issuer, read_key(key))
    write_new(out, text, force)
    click.echo(f"grant     {grants.inspect(text).grant.grant_id}\nwritten   {out}")


@grant.command()
@file_argument
@path("--key", required=True, metavar="FILE", help="A private key whose public one is trusted with grants.")
@click.option("--reason", required=True, metavar="WORDS", help="Why.")
@click.option("--from", "revoked_from", metavar="TIME", help="The first moment not covered, RFC 3339. [default: now]")
@path("--out", required=True, metavar="FILE", help="Where the revocation goes.")
@force_option
def revoke(file: Path, key: Path, reason: str, revoked_from: str | None, out: Path, force: bool) -> None:
    """Sign the end of a grant.

    Calls before it stay covered. Pass the file to each run, and to the next snapshot of each gate.

    \b
    Examples:
      stillwatch grant revoke grant.json --key issuer.key --reason "the contract ended" --out ended.json --force
    """
    from stillwatch.evidence import grants, revocations
    from stillwatch.evidence.signing import read_key
    from stillwatch.grant import Revocation

    ended = grants.inspect(grants.read_text(file), str(file)).grant
    revocation = Revocation(ended.grant_id, revoked_from or _now(), reason)
    write_new(out, revocations.issue(revocation, read_key(key)), force)
    click.echo(f"grant     {ended.grant_id}\nrevoked   from {revocation.revoked_from}\nwritten   {out}")


@grant.command()
@file_argument
@revocations_option
@json_option
def inspect(file: Path, revocation_files: tuple[Path, ...], as_json: bool) -> None:
    """Show what a grant says, without checking who signed it or its revocations.

    \b
    Examples:
      stillwatch grant inspect grant.json
      stillwatch grant inspect grant.json --revocations revocation.json --json
    """
    from stillwatch.evidence import grants, revocations

    found = grants.inspect(grants.read_text(file), str(file))
    _say(found, False, revocations.load_unverified(revocation_files), as_json)


@grant.command()
@file_argument
@many("--key", "keys", required=True, type=click.Path(path_type=Path), metavar="FILE", help="A public key you trust.")
@revocations_option
@json_option
def verify(file: Path, keys: tuple[Path, ...], revocation_files: tuple[Path, ...], as_json: bool) -> None:
    """Check that one of the keys you trust signed a grant, and its revocations.

    Exit status: 0 it was signed, and may have expired or been revoked; 1 it was not; 2 wrong usage.

    \b
    Examples:
      stillwatch grant verify grant.json --key issuer.pub
      stillwatch grant verify grant.json --key issuer.pub --revocations revocation.json
    """
    from stillwatch.evidence import grants, revocations
    from stillwatch.evidence.signing import read_key

    trusted = {str(path): read_key(path) for path in keys}
    found = grants.verified(grants.read_text(file), trusted, str(file))
    _say(found, True, revocations.load(revocation_files, keys), as_json)


@grant.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@many("--run", "runs", type=click.Path(path_type=Path), metavar="DIR", help="A run that counted; may be repeated.")
@click.option("--gate-state", metavar="URL", help="The shared state of a gate that counted: redis://…")
@revocations_option
@json_option
def report(
    files: tuple[Path, ...],
    runs: tuple[Path, ...],
    gate_state: str | None,
    revocation_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Show what was used of grants, and what is left.

    Signatures are not checked: a report covers nothing.

    \b
    Examples:
      stillwatch grant report grant.json --run run
      stillwatch grant report grant.json --run run --revocations revocation.json --json
    """
    from stillwatch.campaign.exemption import tallies
    from stillwatch.evidence import grants, revocations
    from stillwatch.report import grant_use

    named = {one.grant_id: one for one in (grants.inspect(grants.read_text(path), str(path)).grant for path in files)}
    revoked = revocations.load_unverified(revocation_files)
    by_gate = _counted_by_gate(gate_state, sorted(named)) if gate_state else None
    ended = revocations.apply([named[grant_id] for grant_id in sorted(named)], revoked)
    found = grant_use.uses(ended, revoked, tallies(runs), by_gate)
    if as_json:
        print_json(grant_use.as_json(found))
    else:
        grant_use.print_table(found, console())


def _counted_by_gate(url: str, grant_ids: list[str]) -> dict[str, tuple[int, int]]:
    try:
        from stillwatch.gate.shared_state import SharedState
    except ModuleNotFoundError as error:
        raise Error(
            "missing-extra",
            "a gate's state needs the redis library, which is not installed",
            hint='install the extra: pip install "stillwatch[gate]"',
        ) from error
    import asyncio

    async def asked() -> dict[str, tuple[int, int]]:
        state = SharedState.open(url)
        try:
            return await state.grant_volumes(grant_ids)
        finally:
            await state.close()

    return asyncio.run(asked())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _say(found: SignedGrant, is_verified: bool, revoked: dict[str, int], as_json: bool) -> None:
    from stillwatch.evidence.revocations import rfc3339
    from stillwatch.report import granting

    at = revoked.get(found.grant.grant_id)
    revoked_from = None if at is None else rfc3339(at)
    if as_json:
        said = {"key": found.key, "verified": is_verified, "revoked_from": revoked_from}
        print_json({**asdict(found.grant), **said})
    else:
        click.echo("\n".join(granting.lines(found.grant, found.key, is_verified, revoked_from or "")))

"""Grants: authorised distillation, signed by whoever allows it, inspected and verified."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.cli.options import force_option, json_option, many, path, print_json, write_new

if TYPE_CHECKING:
    from stillwatch.evidence.grants import SignedGrant


@click.group()
def grant() -> None:
    """Issue and verify grants: who may distil, how much and until when.

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

    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    # Options are named as the fields are, and click gave each its field's type.
    said_by_issuer = Grant(grant_id="", issued=issued or now, **said)  # type: ignore[arg-type]
    text = grants.issue(said_by_issuer, read_key(key))
    write_new(out, text, force)
    click.echo(f"grant     {grants.inspect(text).grant.grant_id}\nwritten   {out}")


@grant.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def inspect(file: Path, as_json: bool) -> None:
    """Show what a grant says, without checking who signed it.

    \b
    Examples:
      stillwatch grant inspect grant.json
      stillwatch grant inspect grant.json --json
    """
    from stillwatch.evidence import grants

    found = grants.inspect(grants.read_text(file), str(file))
    _say(found, False, as_json)


@grant.command()
@click.argument("file", type=click.Path(path_type=Path))
@many("--key", "keys", required=True, type=click.Path(path_type=Path), metavar="FILE", help="A public key you trust.")
@json_option
def verify(file: Path, keys: tuple[Path, ...], as_json: bool) -> None:
    """Check that one of the keys you trust signed a grant.

    Exit status: 0 it holds; 1 it does not; 2 wrong usage.

    \b
    Examples:
      stillwatch grant verify grant.json --key issuer.pub
    """
    from stillwatch.evidence import grants
    from stillwatch.evidence.signing import read_key

    trusted = {str(path): read_key(path) for path in keys}
    _say(grants.verified(grants.read_text(file), trusted, str(file)), True, as_json)


def _say(found: SignedGrant, is_verified: bool, as_json: bool) -> None:
    from stillwatch.report import granting

    if as_json:
        print_json({**asdict(found.grant), "key": found.key, "verified": is_verified})
    else:
        click.echo("\n".join(granting.lines(found.grant, found.key, is_verified)))

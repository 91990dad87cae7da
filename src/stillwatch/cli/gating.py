"""The gate: answer gateways, or check that everything is there to do so."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.cli.options import force_option, path, write_new
from stillwatch.errors import Error

if TYPE_CHECKING:
    from stillwatch.gate.settings import GateSettings

EXIT_CHECK_FAILED = 1


@click.group(invoke_without_command=True)
@path("--config", "config", metavar="FILE", help="The gate's settings, TOML.")
@click.option("--check", is_flag=True, help="Try everything that the settings name, and serve nothing.")
@click.pass_context
def gate(context: click.Context, config: Path | None, check: bool) -> int:
    """Answer gateways: may this call go on, and how?

    Serves until SIGTERM, then finishes what is open. SIGHUP reads policy and snapshot again.

    \b
    Exit status of --check: 0 all is well; 1 something is not.

    \b
    Examples:
      stillwatch gate init gate.toml --force
      stillwatch gate --check --config gate.toml
      stillwatch gate --config gate.toml
    """
    if context.invoked_subcommand is not None:
        return 0
    if config is None:
        raise click.UsageError("missing option '--config'", context)
    from stillwatch.gate.settings import load

    settings = load(config)
    return _check(settings) if check else _serve(settings)


@gate.command()
@click.argument("file", type=click.Path(path_type=Path))
@force_option
def init(file: Path, force: bool) -> None:
    """Write settings to start from, each with a sentence about it.

    \b
    Examples:
      stillwatch gate init gate.toml --force
    """
    from stillwatch.gate.example import EXAMPLE

    write_new(file, EXAMPLE, force)
    click.echo(f"written   {file}")


def _check(settings: GateSettings) -> int:
    try:
        from stillwatch.gate.checking import checked
    except ImportError as error:
        raise _missing_extra(error) from error
    checks = asyncio.run(checked(settings))
    width = max(len(each.name) for each in checks)
    for each in checks:
        click.echo(f"{'ok    ' if each.ok else 'failed'}  {each.name:<{width}}  {each.said}")
        if each.hint:
            click.echo(f"        {'':<{width}}  {each.hint}")
    return 0 if all(each.ok for each in checks) else EXIT_CHECK_FAILED


def _serve(settings: GateSettings) -> int:
    try:
        from stillwatch.gate import assembly, server
    except ImportError as error:
        raise _missing_extra(error) from error

    async def serve() -> None:
        public, admin = assembly.sockets_of(settings)
        await assembly.assemble(settings, _write).run(public, admin)

    server.run(serve())
    return 0


def _write(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


def _missing_extra(error: ImportError) -> Error:
    return Error(
        "missing-extra",
        f"the gate needs {error.name}, which is not installed",
        hint='install the extra: pip install "stillwatch[gate]"',
    )

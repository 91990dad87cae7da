"""The command line's entry: runs one command and turns whatever goes wrong into a line a person can act on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from stillwatch import __version__
from stillwatch.cli.benching import bench
from stillwatch.cli.calibrating import calibrate
from stillwatch.cli.detecting import detect, explain, formats
from stillwatch.cli.gating import gate
from stillwatch.cli.granting import grant
from stillwatch.cli.laboratory import demo, simulate
from stillwatch.cli.policing import policy
from stillwatch.cli.snapshotting import sanction, snapshot
from stillwatch.cli.storing import ingest, store
from stillwatch.cli.watching import watch
from stillwatch.errors import Error

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 130, 141


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


@click.command()
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


@click.group(
    commands=[
        *(detect, explain, ingest, store, watch, calibrate, grant, sanction, snapshot, policy, gate),
        *(simulate, demo, bench, formats, completion),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, prog_name="stillwatch")
def commands() -> None:
    """Find industrial-scale model distillation in API logs.

    \b
    Examples:
      stillwatch demo --out demo
      stillwatch detect logs --out run
      stillwatch formats
    """

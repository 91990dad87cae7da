"""What is learnt from finished runs: a calibration on the provider's own honest traffic."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli.options import console, force_option, json_option, many, path, print_json, write_new


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@path("--out", metavar="FILE", help="Where the calibration goes.")
@many(
    "--calibration",
    "calibrations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another calibration to merge; may be repeated.",
)
@many("--exclude-group", "exclude", metavar="ID", help="A family that is no honest example; may be repeated.")
@many("--keep-group", "keep", metavar="ID", help="A reported family that was found honest; may be repeated.")
@path("--show", metavar="FILE", help="Show a calibration instead of fitting one.")
@force_option
@json_option
def calibrate(
    runs: tuple[Path, ...],
    out: Path | None,
    calibrations: tuple[Path, ...],
    exclude: tuple[str, ...],
    keep: tuple[str, ...],
    show: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Fit a calibration on finished runs.

    RUNS are folders that detect wrote, of days that are mostly honest. No log is read again.

    \b
    Examples:
      stillwatch calibrate run --out new.json --force
      stillwatch calibrate --show mine.json
      stillwatch calibrate --show mine.json --json
    """
    from stillwatch.campaign import calibration, history
    from stillwatch.report import calibration as report

    if show is not None:
        if runs or out or calibrations or exclude or keep:
            raise click.UsageError("--show takes nothing else but --json")
        found = calibration.load(show)
    else:
        if out is None or not (runs or calibrations):
            raise click.UsageError("expected RUNS or --calibration, and --out; or --show")
        others = [calibration.load(each) for each in calibrations]
        found = history.fit_runs(runs, others, frozenset(exclude), frozenset(keep))
        write_new(out, calibration.dump(found), force)
    if as_json:
        print_json(report.show_json(found))
    else:
        report.show(found, console())

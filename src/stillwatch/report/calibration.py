"""A calibration as a person inspects it, and the same as JSON."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.campaign.calibration import LEVELS, Calibration, Curve, derived, quantiles
from stillwatch.report import wording
from stillwatch.report.terminal import trimmed


def show(calibration: Calibration, console: Console) -> None:
    """Print where a calibration is from, what it can tell, and what each signal measured on its honest families."""
    with trimmed(console):
        count = len(calibration.scores)
        console.print(Text(f"Calibration {wording.printable(calibration.ident)}", style="bold"))
        console.print(Text(f"{wording.families(count)} taken for honest: {wording.printable(calibration.source)}"))
        if calibration.window is not None:
            first, last = calibration.window
            console.print(Text(f"{wording.moment(first)} to {wording.moment(last)}"))
        out = calibration.excluded
        console.print(
            Text(f"Left out: {out.reported} of reported campaigns, {out.named} by name, {out.repeated} met before")
        )
        console.print(Text(f"Smallest p-value: {wording.probability(calibration.resolution)}"))
        console.print()
        console.print(_thresholds(calibration, console.is_terminal))
        if calibration.curves:
            console.print()
            console.print(_curves(calibration, console.is_terminal))


def show_json(calibration: Calibration) -> dict[str, object]:
    """Give the same as plain values for JSON; the file itself has every score."""
    return {
        "ident": calibration.ident,
        "source": calibration.source,
        "window": calibration.window,
        "tool_versions": list(calibration.tool_versions),
        "runs_count": len(calibration.runs),
        "families_count": len(calibration.scores),
        "excluded": {
            "reported": calibration.excluded.reported,
            "named": calibration.excluded.named,
            "repeated": calibration.excluded.repeated,
        },
        **derived(calibration),
    }


def curve_markdown(curve: Curve) -> str:
    """Write a signal's calibration curve as the table of its documentation page."""
    lines = []
    if curve.log_e:
        lines += [
            f"| e-value at least | honest families, of {wording.count(len(curve.log_e))} | allowed |",
            "|---|---|---|",
        ]
        lines += [f"| {e:,.0f} | {n:,} | {allowed:,.1f} |" for e, n, allowed in curve.exceedances()]
    if curve.score:
        lines += ["", f"| share of {wording.count(len(curve.score))} honest families | score at most |", "|---|---|"]
        lines += [f"| {float(share):.0%} | {value:.3f} |" for share, value in quantiles(curve.score).items()]
    return "\n".join(lines).strip() + "\n"


def _thresholds(calibration: Calibration, decorated: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if decorated else None, pad_edge=False)
    table.add_column("p-value at most", justify="right", no_wrap=True)
    table.add_column("score above", justify="right", no_wrap=True)
    for level in LEVELS:
        above = calibration.threshold(level)
        table.add_row(f"{level:g}", "needs more families" if above is None else f"{above:.3f}")
    return table


def _curves(calibration: Calibration, decorated: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if decorated else None, pad_edge=False)
    for name in ("Signal", "Families", "Median", "95 %", "Highest", "e of 100 or more"):
        table.add_column(name, justify="left" if name == "Signal" else "right", no_wrap=True)
    for ident, curve in sorted(calibration.curves.items()):
        for kind, values in (("log e", curve.log_e), ("score", curve.score)):
            if not values:
                continue
            at = quantiles(values)
            reached = next((n for e, n, _ in curve.exceedances() if e == 100), 0)
            allowed = f"{reached} ({len(values) / 100:.1f} allowed)" if kind == "log e" else ""
            table.add_row(
                Text(f"{wording.printable(ident)}, {kind}"),
                wording.count(len(values)),
                f"{at['0.5']:.2f}",
                f"{at['0.95']:.2f}",
                f"{at['1']:.2f}",
                allowed,
            )
    return table

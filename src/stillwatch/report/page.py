"""One self-contained page about a run: no network, no script, the same bytes for the same run."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np
import pyarrow as pa
from markupsafe import Markup, escape
from numpy.typing import NDArray

from stillwatch.finding import Campaign, Evidence, Group, Link
from stillwatch.report import charts, power, reading, wording
from stillwatch.report.skeleton import SKELETON_ACCOUNTS_MIN, TEXT_CHARS_MAX, Skeleton

CAMPAIGNS_DETAILED_MAX = 20
"""Campaigns told in full: some 60 printed pages; the overview lists the others."""

CAMPAIGNS_LISTED_MAX = 500
"""Rows of the overview; `campaigns.jsonl` has them all."""

NOT_LISTED_MAX = 40
"""Tested families that are no campaign, biggest first; `groups.jsonl` has them all."""

UNTESTED_MAX = 8
"""Untested families listed, biggest first, as examples; a provider's log has thousands."""

EXEMPTIONS_MAX = 40
"""Campaigns under grants that are told, in the run's order; `exemptions.jsonl` has them all."""

ACCOUNTS_MAX = 12
"""Accounts named for a campaign; `accounts.parquet` has them all."""

LINKS_MAX = 20
"""Shared links listed, heaviest first; `campaigns.jsonl` has them all."""

HEAT_ROWS_MAX = 200
"""Accounts in a picture: more rows would be thinner than a printer's dot."""

SERIES_MAX = 5
"""Shades that an eye tells apart in a stack; the last one gathers the smaller groups."""

NOT_READ = "the source log was not read a second time"
NO_TEXT = "the run read a store, which keeps no text; detect on the logs of these hours to see it"

Hours = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Legend:
    """One shade of a picture."""

    style: str
    label: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Both pictures of a campaign with their keys."""

    timeline: Markup
    timeline_legend: tuple[Legend, ...]
    heat: Markup
    heat_legend: tuple[Legend, ...]
    heat_rows: int
    bin_hours: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """All that the page tells of one campaign."""

    campaign: Campaign
    summary: str
    pictures: Pictures | None
    skeleton: Skeleton
    evidence: list[tuple[str, list[Evidence]]]
    counter_evidence: list[tuple[str, list[Evidence]]]
    links: tuple[Link, ...]
    techniques: tuple[tuple[str, str], ...]
    would_change: tuple[str, ...]
    limits: tuple[str, ...]
    account_ids: tuple[str, ...]


def render(run_dir: Path, skeletons: Mapping[str, Skeleton]) -> str:
    """Write the report of a finished run as one HTML document.

    `skeletons` come from the second look (`SkeletonCollector.finish`); a campaign without one is shown
    with the reason.

    Raises:  not-a-run, broken-run, unknown-schema-version.
    """
    run = reading.read(run_dir)
    told = run.campaigns[:CAMPAIGNS_DETAILED_MAX]
    not_listed, untested = run.not_listed(), run.untested()
    css = files("stillwatch.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            css=Markup(css),  # noqa: S704 (our own style sheet)
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            facts=run.facts,
            campaigns=run.campaigns[:CAMPAIGNS_LISTED_MAX],
            campaigns_count=len(run.campaigns),
            totals=_totals(run),
            chapters=[_chapter(run, campaign, skeletons.get(campaign.campaign_id)) for campaign in told],
            not_listed=not_listed[:NOT_LISTED_MAX],
            not_listed_count=len(not_listed),
            outcomes=_outcomes(not_listed),
            untested=untested[:UNTESTED_MAX],
            untested_count=run.untested_count(),
            untested_outcomes=_outcomes(untested),
            tested_count=run.tested_count(),
            watched=reading.verdict_count(run_dir, "watch"),
            carriers=sum(campaign.carriers_count for campaign in run.campaigns),
            exemptions=run.exemptions[:EXEMPTIONS_MAX],
            exemptions_count=len(run.exemptions),
            skipped=run.skipped(),
            losses=reading.losses_of(run.facts),
            wording=wording,
            power=power,
            accounts_min=SKELETON_ACCOUNTS_MIN,
            text_chars_max=TEXT_CHARS_MAX,
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("stillwatch.report").joinpath("templates"))),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "count": wording.count,
        "compact": wording.compact,
        "percent": wording.percent,
        "figure": lambda value: _raised(wording.figure(value)),
        "probability": lambda value: _raised(wording.probability(value)),
        "equal_to": lambda value: _raised(wording.equal_to(wording.probability(value))),
        "sentence": lambda text: Markup("<bdi>{}</bdi>").format(wording.sentence(text)),
        "moment": wording.moment,
        "short": wording.short,
        "printable": lambda text: Markup("<bdi>{}</bdi>").format(wording.printable(text)),
    }
    return environment


def _raised(text: str) -> Markup:
    """Set 1.2e-9 as a reader expects it, with a raised exponent."""
    mantissa, e, exponent = text.partition("e")
    if not e:
        return escape(text)
    prefix = mantissa[: len(mantissa) - len(mantissa.lstrip(" <="))]
    times = "" if mantissa.removeprefix(prefix) == "1" else mantissa.removeprefix(prefix) + "\u202f×\u202f"
    return Markup("{}{}10<sup>{}</sup>").format(prefix, times, exponent.replace("-", "−"))


def _totals(run: reading.Run) -> dict[str, int]:
    return {
        "accounts": reading.verdict_count(run.directory, "campaign"),
        "calls": sum(campaign.events_count for campaign in run.campaigns),
        "tokens": sum(campaign.output_tokens for campaign in run.campaigns),
    }


def _outcomes(groups: list[Group]) -> list[tuple[str, int]]:
    count: Counter[str] = Counter(group.outcome for group in groups)
    return [(outcome, count[outcome]) for outcome in wording.OUTCOMES if count[outcome]]


def _chapter(run: reading.Run, campaign: Campaign, skeleton: Skeleton | None) -> Chapter:
    groups = run.groups_of(campaign)
    rows = reading.account_rows(run.directory, "campaign_id", campaign.campaign_id)
    members = [row for row in rows if row.verdict == "campaign"]
    techniques = ((ident, wording.TECHNIQUES.get(ident, "")) for ident in campaign.techniques)
    return Chapter(
        campaign=campaign,
        summary=wording.summary_of(campaign),
        pictures=_pictures(run.directory, campaign.campaign_id),
        skeleton=skeleton or Skeleton((), 0, 0, NO_TEXT if run.facts.store else NOT_READ),
        evidence=wording.by_kind(campaign.evidence),
        counter_evidence=wording.by_kind(campaign.counter_evidence),
        links=tuple(sorted(campaign.links, key=lambda link: (-link.weight_bits, link.pseudonym))[:LINKS_MAX]),
        techniques=tuple(techniques),
        would_change=tuple(wording.would_change(groups)),
        limits=tuple(_limits(run, members)),
        account_ids=tuple(row.account_id for row in members[:ACCOUNTS_MAX]),
    )


def _limits(run: reading.Run, members: list[reading.AccountRow]) -> list[str]:
    """Say what this campaign's figures rest on, and where that is thin."""
    limits = []
    mixed = sum(1 for row in members if 2 * row.campaign_events_count < row.events_count)
    if mixed:
        limits.append(
            f"{wording.counted(mixed, 'account')} sent most of their calls outside the campaign; "
            "only the calls in exchanges.parquet belong to it."
        )
    unsure = sum(1 for row in members if row.membership is not None and row.membership < 0.9)
    if unsure:
        limits.append(f"The membership of {wording.counted(unsure, 'account')} is below 0.9.")
    skipped = [wording.printable(signal.ident) for signal in run.skipped()]
    if skipped:
        limits.append(f"Signals that could not run: {wording.joined(skipped)}.")
    for name, lost in reading.losses_of(run.facts).items():
        limits.append(f"The log had losses: {wording.loss_line(name, lost)}.")
    limits.append("Nothing here tells who runs the accounts; that needs facts from outside the log.")
    return limits


def _pictures(directory: Path, campaign_id: str) -> Pictures | None:
    table = reading.hours(directory, campaign_id)
    if table.num_rows == 0:
        return None
    hour = table["hour"].to_numpy()
    calls = table["calls"].to_numpy()
    span = charts.Span.over(int(hour.min()), int(hour.max()))
    column = span.index(hour)
    series, legend = _series(table["group_id"], column, calls, span.bins)
    cells = _cells(table["account_id"], hour, column, calls, span.bins)
    levels = charts.heat_levels(cells)
    return Pictures(
        timeline=charts.timeline(span, series, "Calls over time, stacked by account group"),
        timeline_legend=tuple(Legend(f"s{i}", label) for i, label in enumerate(legend)),
        heat=charts.heat_map(span, cells, "Accounts (rows) by time (columns)"),
        heat_legend=tuple(
            Legend(f"h{i + 1}", f"{level}+" if i == len(levels) - 1 else _range(level, levels[i + 1]))
            for i, level in enumerate(levels)
        ),
        heat_rows=cells.shape[0],
        bin_hours=span.bin_hours,
    )


def _range(first: int, following: int) -> str:
    return str(first) if following == first + 1 else f"{first}–{following - 1}"


def _series(group_ids: pa.ChunkedArray, column: Hours, calls: Hours, bins: int) -> tuple[list[Hours], list[str]]:
    """Stack the biggest groups one by one and the rest as one."""
    names, index = _indexed(group_ids)
    totals = np.bincount(index, weights=calls, minlength=len(names)).astype(np.int64)
    order = sorted(range(len(names)), key=lambda i: (-totals[i], names[i]))
    single = order if len(order) <= SERIES_MAX else order[: SERIES_MAX - 1]
    layers = np.full(len(names), len(single))
    layers[single] = np.arange(len(single))
    stacked = np.zeros((len(single) + (len(order) > len(single)), bins), dtype=np.int64)
    np.add.at(stacked, (layers[index], column), calls)
    legend = [f"{wording.short(names[i])} · {wording.counted(int(totals[i]), 'call')}" for i in single]
    if len(order) > len(single):
        rest = int(stacked[-1].sum())
        legend.append(f"{len(order) - len(single)} smaller groups · {wording.counted(rest, 'call')}")
    return list(stacked), legend


def _cells(accounts: pa.ChunkedArray, hour: Hours, column: Hours, calls: Hours, bins: int) -> Hours:
    """Count calls by account and column; rows in the order in which the accounts appeared."""
    names, index = _indexed(accounts)
    chosen = sorted(range(len(names)), key=lambda i: _lot(names[i]))[:HEAT_ROWS_MAX]
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, index, hour)
    chosen.sort(key=lambda i: (first[i], names[i]))
    row_of = np.full(len(names), -1)
    row_of[chosen] = np.arange(len(chosen))
    row = row_of[index]
    cells = np.zeros((len(chosen), bins), dtype=np.int64)
    np.add.at(cells, (row[row >= 0], column[row >= 0]), calls[row >= 0])
    return cells


def _indexed(column: pa.ChunkedArray) -> tuple[list[str], Hours]:
    """Number the names that do occur; a file's dictionary also holds those of other campaigns."""
    encoded = column.unify_dictionaries().combine_chunks()
    used, index = np.unique(encoded.indices.to_numpy(), return_inverse=True)
    return encoded.dictionary.take(pa.array(used)).to_pylist(), index.astype(np.int64)


def _lot(account_id: str) -> bytes:
    """Draw the same accounts in every run, without favour for early or busy ones."""
    return blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()

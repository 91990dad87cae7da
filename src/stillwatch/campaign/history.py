"""Finished runs → examples of honest families, and examples → a calibration."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from stillwatch.campaign.calibration import FAMILIES_MAX, Calibration, Curve, Excluded
from stillwatch.errors import Error
from stillwatch.finding import Group, Reading


@dataclass(frozen=True, slots=True)
class Honest:
    """One family that is taken for honest: its name, its extraction score and what each signal measured on it."""

    name: str
    score: float
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What one run offers as examples, and what it holds besides."""

    run: str
    tool_version: str
    window: tuple[str, str]
    families: tuple[Honest, ...]
    excluded: Excluded = field(default_factory=Excluded)


class _Window(msgspec.Struct, frozen=True):
    start: str
    end: str


class _Facts(msgspec.Struct, frozen=True):
    tool_version: str
    key_ident: str
    events_count: int
    window: _Window


def read_histories(
    run_dirs: Sequence[Path], exclude: frozenset[str] = frozenset(), keep: frozenset[str] = frozenset()
) -> list[History]:
    """Read the tested families of finished runs; no log is read again.

    Families of campaigns that a run reported are left out, and so are those named in `exclude`; those in `keep` were
    looked into and found honest, and stay.

    Raises:  not-a-run, broken-run, run-without-scores; unknown-group where a named family is in none of the runs.
    """
    read = [_read(run_dir) for run_dir in run_dirs]
    unknown = (exclude | keep) - {group.group_id for _, groups in read for group in groups}
    if unknown:
        raise Error(
            "unknown-group",
            f"{len(unknown)} of the families that you named are in none of the runs",
            hint="groups.jsonl of a run lists its families",
        )
    return [_history(facts, groups, exclude, keep) for facts, groups in read]


def fit(ident: str, source: str, histories: Sequence[History], others: Sequence[Calibration] = ()) -> Calibration:
    """Make one calibration of runs and of other calibrations.

    A family that several runs met counts once, with its highest score: one family's days are no independent examples,
    and the highest errs towards larger p-values.

    Raises:  calibration-overlap where a run would count twice; no-honest-families; too-many-families.
    """
    taken = [run for other in others for run in other.runs] + sorted({history.run for history in histories})
    if len(taken) != len(set(taken)):
        raise Error(
            "calibration-overlap",
            "the same run is part of more than one of the calibrations and runs that you named",
            hint="a family that counts twice makes p-values look finer than they are; name each run once",
        )
    families: dict[str, Honest] = {}
    met = 0
    for honest in (honest for history in histories for honest in history.families):
        met += 1
        known = families.get(honest.name)
        if known is None or (honest.score, honest.readings) > (known.score, known.readings):
            families[honest.name] = honest
    repeated = Excluded(repeated=met - len(families))
    scores = sorted([honest.score for honest in families.values()] + [s for other in others for s in other.scores])
    if not scores:
        raise Error("no-honest-families", "none of the runs tested a family that could serve as an example")
    if len(scores) > FAMILIES_MAX:
        raise Error("too-many-families", f"expected {FAMILIES_MAX} families at most, got {len(scores)}")
    windows = [history.window for history in histories] + [other.window for other in others if other.window]
    return Calibration(
        ident=ident,
        source=source,
        scores=tuple(scores),
        curves=_curves(list(families.values()), others),
        runs=tuple(taken),
        tool_versions=tuple(
            sorted({h.tool_version for h in histories} | {v for other in others for v in other.tool_versions})
        ),
        window=(min(w[0] for w in windows), max(w[1] for w in windows)) if windows else None,
        excluded=sum([h.excluded for h in histories] + [other.excluded for other in others], repeated),
    )


def fit_runs(
    run_dirs: Sequence[Path], others: Sequence[Calibration], exclude: frozenset[str], keep: frozenset[str]
) -> Calibration:
    """Fit a calibration on finished runs and other calibrations, named by a digest of what is in it.

    Raises:  what `read_histories` and `fit` raise.
    """
    histories = read_histories(run_dirs, exclude, keep)
    parts = [f"{len(run_dirs)} run(s)"] if run_dirs else []
    parts += [f"calibration {other.ident} ({other.source})" for other in others]
    found = fit("", " and ".join(parts), histories, others)
    content = repr((found.scores, sorted(found.curves.items()), found.runs)).encode()
    return replace(found, ident="fitted-" + hashlib.blake2b(content, digest_size=4).hexdigest())


def _curves(families: Sequence[Honest], others: Sequence[Calibration]) -> dict[str, Curve]:
    log_e: dict[str, list[float]] = {}
    score: dict[str, list[float]] = {}
    for reading in (reading for honest in families for reading in honest.readings):
        if reading.log_e is not None:
            log_e.setdefault(reading.signal, []).append(reading.log_e)
        if reading.score is not None:
            score.setdefault(reading.signal, []).append(reading.score)
    for other in others:
        for ident, curve in other.curves.items():
            log_e.setdefault(ident, []).extend(curve.log_e)
            score.setdefault(ident, []).extend(curve.score)
    idents = sorted({*log_e, *score})
    return {i: Curve(tuple(sorted(log_e.get(i, ()))), tuple(sorted(score.get(i, ())))) for i in idents}


def _history(facts: _Facts, groups: Sequence[Group], exclude: frozenset[str], keep: frozenset[str]) -> History:
    families = []
    reported = named = 0
    for group in groups:
        if group.score is None:
            continue
        if group.group_id in exclude:
            named += 1
        elif group.group_id not in keep and (group.campaign_id or group.outcome == "extraction-campaign"):
            reported += 1
        else:
            families.append(Honest(f"{facts.key_ident}/{group.group_id}", group.score, group.readings))
    window = (facts.window.start, facts.window.end)
    run = f"{facts.key_ident}/{window[0]}/{window[1]}/{facts.events_count}"
    return History(run, facts.tool_version, window, tuple(families), Excluded(reported, named))


def _read(run_dir: Path) -> tuple[_Facts, list[Group]]:
    facts_path, groups_path = run_dir / "run.json", run_dir / "groups.jsonl"
    for path in (facts_path, groups_path):
        if not path.is_file():
            raise Error(
                "not-a-run",
                f"the folder is not a finished run: {path.name} is missing",
                hint="name the folder that `stillwatch detect --out` wrote",
                where=str(run_dir),
            )
    try:
        facts = msgspec.json.decode(facts_path.read_bytes(), type=_Facts)
        decoder = msgspec.json.Decoder(Group)
        groups = [decoder.decode(line) for line in groups_path.read_bytes().splitlines() if line.strip()]
    except msgspec.DecodeError as error:
        raise Error(
            "broken-run",
            "a file of the run cannot be read: it is cut short or was written by something else",
            hint="run `stillwatch detect` again",
            where=str(run_dir),
        ) from error
    if any(group.evidence or group.counter_evidence for group in groups) and not any(g.readings for g in groups):
        raise Error(
            "run-without-scores",
            "the run was written before families kept what signals measured on them",
            hint="run `stillwatch detect` again",
            where=str(run_dir),
        )
    return facts, groups

"""The order of a run: read, find families, test them, name campaigns, exempt, look at their calls again, write."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from stillwatch.adapters.accounts import account_batches
from stillwatch.adapters.source import list_files
from stillwatch.campaign import calibration as calibrations
from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.claims import Claims
from stillwatch.campaign.conclusion import Conclusion, Judged, conclude, judge_all
from stillwatch.campaign.power import Ground, reach
from stillwatch.campaign.screening import screen
from stillwatch.engines import output
from stillwatch.engines.accounts import write_account_rows
from stillwatch.engines.blocks import LogFacts, split_time
from stillwatch.engines.contract import Engine, Observer, Progress, Read, RunOutcome, RunRequest, Source
from stillwatch.engines.exemptions import Granted, without_granted
from stillwatch.engines.family_calls import FamilyCalls
from stillwatch.engines.kinship import Kinship
from stillwatch.engines.memory import keep_no_large_blocks, release
from stillwatch.engines.reading import Rejections
from stillwatch.engines.second_look import flagged_calls, look_again
from stillwatch.engines.signatures import write_signatures
from stillwatch.engines.sources import EmbeddedSource, StoredSource
from stillwatch.engines.windows import Stream
from stillwatch.errors import Error
from stillwatch.finding import Reach, Skipped
from stillwatch.kernels.semantic import Embedder
from stillwatch.pseudonym import key_ident
from stillwatch.signals import extraction_intent
from stillwatch.signals.contract import Mark, Panel, Population, Signal
from stillwatch.signals.registry import SIGNALS
from stillwatch.signals.relay import carriers

ENGINES = ("embedded", "spark")

__all__ = ["ENGINES", "Observer", "Progress", "RunOutcome", "RunRequest", "detect"]

FAMILIES_TESTED_MAX = 2_000
"""Families tested in one run, the largest first; the multiplicity of more would drown each of them."""


@dataclass(slots=True)
class Stages:
    """How long each stage took and how many rows it saw."""

    progress: Progress
    done: list[dict[str, object]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, total_bytes: int | None = None) -> Iterator[list[int]]:
        rows = [0]
        begun = time.perf_counter()
        self.progress.begin(name, total_bytes)
        yield rows
        release()
        seconds = time.perf_counter() - begun
        self.progress.end(name, seconds, rows[0])
        self.done.append({"name": name, "seconds": round(seconds, 3), "rows": rows[0]})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked, with the files read that decide how it answers."""

    request: RunRequest
    calibration: Calibration
    stream: Stream | None
    granted: Granted | None
    embedder: Embedder | None

    @staticmethod
    def of(request: RunRequest) -> Asked:
        """Read a request's calibration, stream, grants and model before anything else: what is wrong costs no run.

        Raises:  Error where one of them cannot be read, does not fit the others, or does not verify.
        """
        calibration = calibrations.load(request.calibration) if request.calibration else calibrations.shipped()
        embedder = Embedder.load(request.semantic, request.key) if request.semantic else None
        # A model makes other families of the same calls, under other names.
        key = key_ident(request.key) + (f" with model {embedder.ident}" if embedder else "")
        stream = Stream.open(request.online, calibration, request.fdr, key) if request.online else None
        return Asked(request, calibration, stream, Granted.of(request), embedder)


def detect(request: RunRequest, progress: Progress, observer: Observer | None = None) -> RunOutcome:
    """Find campaigns in the logs of `request` and write the run's directory, whole or not at all.

    Raises:  Error where the request is wrong, no log can be read, or too many records are rejected.
    """
    if request.engine not in ENGINES:
        raise Error(
            "unknown-engine",
            f"expected an engine of {', '.join(ENGINES)}, got {request.engine}",
            hint="leave --engine out for the embedded engine",
        )
    if request.store is not None and request.semantic is not None:
        raise Error(
            "store-without-codes",
            "a store keeps no texts and no codes of what they are about",
            hint="detect on the logs with --semantic, or on the store without it",
        )
    if request.store is not None and request.engine != "embedded":
        raise Error(
            "store-on-one-machine",
            f"a window of a store is read by the embedded engine, got {request.engine}",
            hint="leave --engine out, or detect on the logs",
        )
    if not 0 < request.fdr < 1:
        raise Error("bad-fdr", f"expected a false-discovery rate between 0 and 1, got {request.fdr:g}")
    asked = Asked.of(request)
    keep_no_large_blocks()
    staged = output.stage(request.out, request.force)
    try:
        with _source(asked, staged / output.WORK) as source:
            count = _run(asked, source, staged, progress, observer)
        shutil.rmtree(staged / output.WORK, ignore_errors=True)
        output.publish(staged, request.out, request.force)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    if asked.stream:
        asked.stream.save()
    return RunOutcome(request.out, count)


def _run(asked: Asked, source: Source, staged: Path, progress: Progress, observer: Observer | None) -> int:
    request, stages = asked.request, Stages(progress)
    work = staged / output.WORK
    with (staged / "rejected.jsonl").open("w") as stream:
        rejections = Rejections(stream)
        read, filled = _read(source, request, work / "accounts.parquet", rejections, stages)
    with source.engine(read) as engine:
        with stages.stage("families") as rows:
            facts = engine.log_facts(engine.drop_repeats(read.rows))
            engine.add_accounts(work / "accounts.parquet")
            rows[0] = facts.events_count
            blocks = split_time(facts, request.seed)
            families = engine.find_families()
            engine.assign_calls(families, blocks)
            family_facts = engine.family_facts()
        with stages.stage("test") as rows:
            chosen, intent = screen(family_facts, extraction_intent.CLASS_WEIGHT)
            picked = _largest(family_facts["family"][chosen], family_facts["accounts"][chosen], engine)
            population = engine.population(facts, blocks)
            tested = []
            calls = FamilyCalls(engine, families, population, blocks, frozenset(filled))
            kinship = Kinship(calls, population.owners_count, request.seed, frozenset(filled), engine.saturated)
            for family, panel in calls.panels(picked):
                kinship.keep(panel)
                tested.append((family, panel.pool(carriers(panel)), _marks(panel, filled)))
                rows[0] += len(panel.calls.account)
            decide = asked.stream.decide((facts.first_us, facts.last_us)) if asked.stream else None
            judged = judge_all(tested, asked.calibration, request.fdr, decide, kinship.unite)
        with stages.stage("look again") as rows:
            concluded, kept = _concluded(asked, judged, calls, staged)
            flagged = flagged_calls(kept, concluded)
            idents, rows[0] = look_again(engine, flagged, concluded, read, staged, observer)
            write_signatures(staged, concluded.campaigns, idents, calls.signature)
        with stages.stage("power") as rows:
            reaches = _reaches(asked, concluded, population, frozenset(filled))
            rows[0] = len(reaches)
        screened = output.Screened(families, family_facts, intent)
        groups_count = output.write_groups(staged, concluded, engine, screened, idents)
        output.write_json(
            staged / "run.json",
            {
                **_what_was_asked(asked),
                **_what_was_read(read, facts, rejections),
                "groups_count": groups_count,
                "extraction_scores": [round(score, 6) for score in concluded.scores],
                "saturated": [
                    {"bound": bound, "value": value, "note": output.BOUND_NOTES[bound]}
                    for bound, value in sorted(engine.saturated.items())
                ],
                "signals": _signal_states(filled, concluded),
                "power": [asdict(one) for one in reaches],
                "stages": stages.done,
            },
        )
    if observer:
        observer.finish(staged)
    return len(concluded.campaigns)


def _read(
    source: Source, request: RunRequest, accounts: Path, rejections: Rejections, stages: Stages
) -> tuple[Read, set[str]]:
    """Read the calls and the facts of accounts; return what was learnt, and the columns that anything fills."""
    files = source.inputs()
    with stages.stage("read", sum(file.size_bytes for file in files) or None) as rows:
        read = source.read(files, rejections, stages.progress)
        rows[0] = read.rows
    given = account_batches(list_files(request.accounts), rejections) if request.accounts else ()
    filled = read.filled | write_account_rows(given, accounts, request.key)
    return read, filled | read.account_rows(accounts)


@contextmanager
def _source(asked: Asked, work: Path) -> Iterator[Source]:
    """Open the engine that a run asks for. Spark's modules are met only where it does."""
    request = asked.request
    if request.store is not None:
        yield StoredSource(request, work, key_ident(request.key))
    elif request.engine == "embedded":
        yield EmbeddedSource(request, work, asked.embedder)
    else:
        from stillwatch.engines.spark_log import SparkSource
        from stillwatch.engines.spark_session import open_cluster

        with open_cluster(request.spark) as cluster:
            yield SparkSource(cluster, request, work)


def _concluded(
    asked: Asked, judged: Judged, families: FamilyCalls, staged: Path
) -> tuple[Conclusion, dict[str, np.ndarray]]:
    """Join rejected families into campaigns and take out what grants cover; return the campaigns and their calls."""
    calls = families.closest(judged.rejected_families)
    concluded = conclude(judged, Claims.of(calls["family"], calls["account_key"]), asked.request.seed)
    if asked.granted is None:
        return concluded, calls
    exempted = without_granted(asked.granted, calls, concluded)
    output.write_lines(staged / output.EXEMPTIONS, exempted.lines)
    return exempted.concluded, exempted.calls


def _reaches(
    asked: Asked, concluded: Conclusion, population: Population, available: frozenset[str]
) -> tuple[Reach, ...]:
    if not asked.request.power:
        return ()
    ground = Ground.of(concluded, population, available, asked.calibration, asked.request.fdr)
    if asked.stream:
        ground = replace(ground, stream=asked.stream.entered, asks_left=asked.stream.asks_left())
    return reach(ground, asked.request.seed)


def _largest(families: np.ndarray, accounts: np.ndarray, engine: Engine) -> list[int]:
    order = np.lexsort((families, -accounts))
    if len(order) > FAMILIES_TESTED_MAX:
        engine.saturated["families_tested_max"] = len(order)
    return sorted(int(family) for family in families[order[:FAMILIES_TESTED_MAX]])


def _marks(panel: Panel, filled: set[str]) -> list[Mark | Skipped]:
    said: list[Mark | Skipped] = []
    for signal in SIGNALS:
        reason = _missing(signal, filled)
        said.append(signal.conclude(panel) if reason is None else Skipped(signal.IDENT, reason))
    return said


def _missing(signal: Signal, filled: set[str]) -> str | None:
    """Say why a signal cannot run on this log: none of the columns that it can work on is filled."""
    if signal.NEEDS & filled:
        return None
    return f"the log fills none of {', '.join(sorted(signal.NEEDS))}"


def _signal_states(filled: set[str], concluded: Conclusion) -> list[dict[str, str]]:
    """Say of each signal whether it ran; without prompts there are no families for any of them."""
    text = bool({"system_prompt", "input_text"} & filled)
    states = []
    for signal in SIGNALS:
        reason = _missing(signal, filled)
        if reason is None and not text:
            reason = "the log carries no prompts, so there are no families to test"
        said = concluded.skips.get(signal.IDENT)
        if reason is None and said is not None and signal.IDENT not in concluded.ran:
            reason = said
        state = {"ident": signal.IDENT, "family": signal.FAMILY, "status": "skipped" if reason else "ran"}
        states.append({**state, "reason": reason or ""})
    return states


def _what_was_asked(asked: Asked) -> dict[str, object]:
    request, calibration = asked.request, asked.calibration
    grants = asked.granted.idents() if asked.granted else []
    config: dict[str, object] = {
        "fdr": request.fdr,
        "seed": request.seed,
        "calibration": calibration.ident,
        "tool": output.tool_version(),
    }
    config |= {"grants": grants, "online": request.online is not None}
    # Of what was not asked nothing is said, so that a run keeps the digest it had before there was the choice.
    chosen: dict[str, object] = {"semantic": asked.embedder.ident} if asked.embedder else {}
    if asked.granted and asked.granted.revoked:
        chosen["grants_revoked"] = dict(asked.granted.revoked)
    config |= chosen
    return {
        "schema_version": output.SCHEMA_VERSION,
        "tool_version": output.tool_version(),
        "engine": request.engine,
        "seed": request.seed,
        "fdr": request.fdr,
        "config_digest": hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=8).hexdigest(),
        "key_ident": key_ident(request.key),
        "calibration": {
            "ident": calibration.ident,
            "shipped": calibration.ident == calibrations.SHIPPED,
            "families_count": len(calibration.scores),
        },
        "online": asked.stream.facts() if asked.stream else None,
        "grants": grants,
        **chosen,
    }


def _what_was_read(read: Read, facts: LogFacts, rejections: Rejections) -> dict[str, object]:
    return {
        **read.facts(),
        "window": {"start": output.rfc3339(facts.first_us), "end": output.rfc3339(facts.last_us)},
        "events_count": facts.events_count,
        "accounts_count": facts.accounts_count,
        "duplicates_count": facts.duplicates_count,
        "rejected_count": sum(rejections.counts.values()),
        "rejected_by_reason": dict(sorted(rejections.counts.items())),
        "dialect": {
            "ident": read.dialect,
            "reason": read.reason,
            "losses": facts.losses,
        },
    }

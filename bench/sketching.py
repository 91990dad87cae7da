"""Sketch the same texts with Stillwatch, datasketch, rensa and one SQL statement, one thread each, in turn.

    .venv/bin/python -m bench.sketching                     three rounds at 400 and at 1,500 bytes a prompt
    .venv/bin/python -m bench.sketching --seconds 1 --rounds 1 --prompt-bytes 400

What is compared is the way from a text to a fixed number of values by which near-duplicates are found: letters made
small, numbers and short quotations masked, runs of five words, and of their hashes the 24 that a trace keeps of a
prompt. The peers do that work and no more: masking and words by regular expressions, shingles as strings, a MinHash of
24 permutations in the library's own call for many texts; the statement is the fastest of those we tried. What
Stillwatch is timed at is its whole stage, `kernels.tracer.trace_batch`: it also digests the whole item, sets the bits
of topics and phrase classes, fixes the names that a prompt prescribes, and turns every identifier of the call into a
keyed pseudonym. The *plain* peers mask nothing and take each text's words, split at spaces, as they are: less work than
asked, timed so that nobody has to ask.

Each round times a peer on as many texts as it does in some seconds, and Stillwatch on the same texts right after it,
as often as a second holds. Seconds are the processor's: with one thread each they are the clock's on a quiet machine,
and on a busy one they still compare. A ratio is of one such pair; the table has medians of the rounds. What was
measured before is kept in `build/bench/sketching` and not repeated.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.detection import ROOT, SOURCE, digest
from bench.measuring import Found, machine, median, once, say, write_result
from bench.prompts import longer_events
from stillwatch import trace
from stillwatch.adapters.contract import ReadSettings
from stillwatch.kernels.tracer import TraceKeys, trace_batch
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.world import simulate

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")

PERMUTATIONS = trace.INPUT_SHINGLES
WORDS = 5
SEED = 2026
TARGETS = {"datasketch": 50, "rensa": 15, "sql": 40}

FIRST_BYTES = 1_000_000
"""Text on which a peer's speed is guessed, so that it is then asked for some seconds of work."""

OWN_SECONDS_MIN = 1.0
"""Stillwatch repeats a peer's texts until so much time is gone: a shorter time would be read too coarsely."""

LITERAL = r'"[^"\n]{1,32}"|`[^`\n]{1,32}`'
MASKED = re.compile(LITERAL + r"|\w*\d\w*")
WORD = re.compile(r"\w+")

Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to sketch texts: `ready` loads them as it likes, untimed, and returns the work to be timed."""

    title: str
    library: str
    ready: Callable[[Texts], Callable[[], object]]


def shingled(text: str) -> list[str]:
    words = WORD.findall(MASKED.sub(" 0 ", text.lower()))
    return [" ".join(words[at : at + WORDS]) for at in range(max(len(words) - WORDS + 1, 1))]


def by_datasketch(texts: Texts) -> Callable[[], object]:
    from datasketch import MinHash

    def work() -> object:
        sets = ([shingle.encode() for shingle in shingled(text)] for text in texts)
        return [each.hashvalues for each in MinHash.generator(sets, num_perm=PERMUTATIONS)]

    return work


def by_datasketch_plain(texts: Texts) -> Callable[[], object]:
    from datasketch import MinHash

    def work() -> object:
        sets = (text.encode().split() for text in texts)
        return [each.hashvalues for each in MinHash.generator(sets, num_perm=PERMUTATIONS)]

    return work


def by_rensa(texts: Texts) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.digest_matrix_from_token_sets([shingled(text) for text in texts], PERMUTATIONS, SEED)


def by_rensa_plain(texts: Texts) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.digest_matrix_from_token_sets([text.split() for text in texts], PERMUTATIONS, SEED)


def statement() -> str:
    """Return the one statement: mask, words, shingles, and the least of each of 24 hashes of them."""
    rng = random.Random(SEED)
    least = ", ".join(
        f"list_min(list_transform(s, lambda h: hash(xor(h, {rng.getrandbits(63)}::UBIGINT)))) AS m{at}"
        for at in range(PERMUTATIONS)
    )
    run = ", ".join(f"w[i + {at}]" for at in range(WORDS))
    return rf"""
        WITH words AS (
            SELECT id, list_transform(
                regexp_extract_all(
                    regexp_replace(lower(text), '{LITERAL}|[\pL\pN_]*\pN[\pL\pN_]*', ' 0 ', 'g'), '[\pL\pN_]+'
                ),
                lambda word: hash(word)
            ) AS w FROM texts
        ), shingles AS (
            SELECT id, list_transform(range(1, greatest(len(w) - {WORDS - 2}, 2)), lambda i: hash({run})) AS s
            FROM words
        )
        SELECT id, {least} FROM shingles"""


def by_sql(texts: Texts) -> Callable[[], object]:
    import duckdb

    base = duckdb.connect()
    base.execute("SET threads = 1")
    held = pa.table({"id": range(len(texts)), "text": pa.array(texts, pa.string())})
    base.register("given", held)
    base.execute("CREATE TABLE texts AS SELECT * FROM given")
    return lambda: base.sql(statement()).to_arrow_table()


PEERS: Mapping[str, Peer] = {
    "datasketch": Peer("datasketch MinHash", "datasketch", by_datasketch),
    "rensa": Peer("rensa RMinHash", "rensa", by_rensa),
    "sql": Peer("one statement in DuckDB", "duckdb", by_sql),
    "datasketch-plain": Peer("datasketch, plain words", "datasketch", by_datasketch_plain),
    "rensa-plain": Peer("rensa, plain words", "rensa", by_rensa_plain),
}


class Sample:
    """Calls of a simulated day, as many as are asked for, the same ones first."""

    def __init__(self, prompt_bytes: int) -> None:
        self.prompt_bytes = prompt_bytes
        self._more = _batches(prompt_bytes)
        self._events: list[pa.RecordBatch] = []
        self._keys = TraceKeys.derive(bytes(32))

    def texts(self, rows: int) -> list[str]:
        return [text for batch in self._first(rows) for text in batch["input_text"].to_pylist()]

    def size_bytes(self, rows: int) -> int:
        return sum(int(pc.sum(pc.binary_length(batch["input_text"])).as_py()) for batch in self._first(rows))

    def own(self, rows: int) -> Callable[[], object]:
        batches = self._first(rows)
        return lambda: [trace_batch(batch, self._keys, 0) for batch in batches]

    def _first(self, rows: int) -> list[pa.RecordBatch]:
        while sum(batch.num_rows for batch in self._events) < rows:
            self._events.append(next(self._more))
        left, found = rows, []
        for batch in self._events:
            if left > 0:
                found.append(batch.slice(0, left))
                left -= batch.num_rows
        return found


def _batches(prompt_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield the calls of one day after another, without system prompts: every sketch sees the same text."""
    rows = ReadSettings().batch_rows
    for day in range(1_000):
        held: list[pa.RecordBatch] = []
        for batch in simulate(scenario_named("demo"), SEED + day, 250_000).events():
            batch = longer_events(batch.filter(batch["input_text"].is_valid()), prompt_bytes)
            at = batch.schema.get_field_index("system_prompt")
            held.append(batch.set_column(at, batch.schema.field(at), pa.nulls(batch.num_rows, pa.string())))
            if sum(each.num_rows for each in held) >= rows:
                whole = pa.Table.from_batches(held).combine_chunks().to_batches(max_chunksize=rows)
                yield from (each for each in whole if each.num_rows == rows)
                held = [each for each in whole if each.num_rows < rows]


def timed(work: Callable[[], object], seconds_min: float = 0.0) -> tuple[float, float]:
    """Return the processor's seconds for one go of the work, and how many cores were busy with it on average."""
    begun, busy, goes = time.perf_counter(), time.process_time(), 0
    while goes == 0 or time.perf_counter() - begun < seconds_min:
        work()
        goes += 1
    busy, wall = time.process_time() - busy, time.perf_counter() - begun
    return busy / goes, busy / wall


def pair(peer: Peer, sample: Sample, rows: int) -> Found:
    """Time a peer on some texts, and Stillwatch on the same ones right after."""
    size = sample.size_bytes(rows)
    load = os.getloadavg()[0]
    theirs, their_cores = timed(peer.ready(sample.texts(rows)))
    ours, our_cores = timed(sample.own(rows), OWN_SECONDS_MIN)
    return {
        "texts_count": rows, "size_bytes": size, "load_before": round(load, 2),
        "peer_seconds": theirs, "peer_cores": round(their_cores, 3),
        "own_seconds": ours, "own_cores": round(our_cores, 3), "ratio": theirs / ours,
    }  # fmt: skip


def rows_for(peer: Peer, sample: Sample, seconds: float) -> int:
    """Return how many texts a peer sketches in about so many seconds."""
    few = max(FIRST_BYTES // sample.prompt_bytes, 1)
    took, _ = timed(peer.ready(sample.texts(few)))
    return max(round(few * seconds / took), few)


def here(peer: Peer) -> bool:
    try:
        version(peer.library)
    except PackageNotFoundError:
        return False
    return True


def measure(asked: argparse.Namespace) -> Found:
    pa.set_cpu_count(1)
    missing = {peer.library for peer in PEERS.values() if not here(peer)}
    if missing:
        say(f"left out, for they are not installed: {', '.join(sorted(missing))}")
    samples = {size: Sample(size) for size in asked.prompt_bytes}
    pairs: list[Found] = []
    for size, sample in samples.items():
        sample.own(1_000)()  # Compiled, or loaded, before anything is timed.
        rows: dict[str, int] = {}
        for number in range(asked.rounds):
            for name, peer in PEERS.items():
                if here(peer):
                    pairs.append(_pair_once(asked, (name, size, number), sample, rows))
    return {
        "schema_version": 1, "machine": machine(asked.work), "source_digest": digest(SOURCE), "rounds": asked.rounds,
        "versions": {peer.library: version(peer.library) for peer in PEERS.values() if here(peer)},
        "permutations": PERMUTATIONS, "rows": table(pairs),
    }  # fmt: skip


def _pair_once(asked: argparse.Namespace, which: tuple[str, int, int], sample: Sample, rows: dict[str, int]) -> Found:
    name, size, number = which
    peer = PEERS[name]

    def act() -> Found:
        if name not in rows:
            rows[name] = rows_for(peer, sample, asked.seconds)
        say(f"{name}, {size} bytes, round {number + 1} of {asked.rounds}: {rows[name]:,} texts …")
        found = pair(peer, sample, rows[name])
        theirs, ours = found["peer_seconds"], found["own_seconds"]
        say(f"{name}: {theirs:.1f} s, Stillwatch {ours:.2f} s: {found['ratio']:.1f} times")
        return found

    key = {
        "seconds": asked.seconds, "source": digest(SOURCE / "kernels", SOURCE / "lab", SOURCE / "trace.py"),
        "script": digest(ROOT / "bench" / "sketching.py", ROOT / "bench" / "prompts.py"),
        "version": version(peer.library),
    }  # fmt: skip
    return {"peer": name, "prompt_bytes": size, **once(asked.work / f"{name}-{size}-{number + 1}.json", key, act)}


def table(pairs: Sequence[Found]) -> list[Found]:
    """Return the medians of each peer and length of prompt."""
    rows = []
    for name, size in dict.fromkeys((each["peer"], each["prompt_bytes"]) for each in pairs):
        mine = [each for each in pairs if (each["peer"], each["prompt_bytes"]) == (name, size)]
        ratios = [each["ratio"] for each in mine]
        rows.append(
            {
                "peer": name, "title": PEERS[name].title, "prompt_bytes": size, "rounds_count": len(mine),
                "peer_bytes_per_second": median(each["size_bytes"] / each["peer_seconds"] for each in mine),
                "own_bytes_per_second": median(each["size_bytes"] / each["own_seconds"] for each in mine),
                "peer_seconds": median(each["peer_seconds"] for each in mine),
                "ratio": median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
                "target": TARGETS.get(name),
                "cores_max": max(max(each["peer_cores"], each["own_cores"]) for each in mine),
                "load_max": max(each["load_before"] for each in mine),
            }
        )  # fmt: skip
    return rows


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prompt-bytes", type=int, nargs="+", default=[400, 1_500])
    options.add_argument("--seconds", type=float, default=8.0, help="how long a peer works in one round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "sketching")
    asked = options.parse_args(arguments)
    asked.work.mkdir(parents=True, exist_ok=True)
    result = measure(asked)
    for row in result["rows"]:
        say(
            f"{row['title']:28} {row['prompt_bytes']:5} bytes: {row['peer_bytes_per_second'] / 1e6:8.2f} MB/s, "
            f"Stillwatch {row['own_bytes_per_second'] / 1e6:7.1f} MB/s, {row['ratio']:6.1f} times "
            f"({row['ratio_min']:.1f} to {row['ratio_max']:.1f})"
            + (f", wanted {row['target']}" if row["target"] else "")
        )
    write_result(asked.work.parent / "sketching.json", result)
    return result


def with_one_thread() -> None:
    """Start over with one thread in every library: they read their settings when they are loaded."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(
            sys.executable, [sys.executable, "-m", "bench.sketching", *sys.argv[1:]], {**os.environ, **ONE_THREAD}
        )  # fmt: skip


if __name__ == "__main__":
    with_one_thread()
    main()

"""What a user would assemble instead of Stillwatch, each as one command that reads a world and writes its suspicions.

python -m bench.contenders run NAME WORLD OUT      read events and accounts, write OUT/*.parquet
python -m bench.contenders grade WORLD OUT RATE    print how well they do, as JSON

`minhash-linkage`: near-duplicate prompts by datasketch's MinHash and MinHashLSH, accounts linked by Splink on DuckDB,
communities of both by NetworKit. `co-action`: the coordination-network-toolkit, same text within a minute.
`co-action-lab`: the same idea as the laboratory's baseline does it, in NumPy. Each is set as its authors advise, and
helped where that costs it nothing: one text is sketched once however often it was sent, a near-duplicate is compared
with one representative of its kind and not with all, and calls are joined to kinds instead of to each other, so that
nothing is quadratic. A method may order accounts in several ways; it is graded by the one that the truth favours.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.lab.baselines import co_action
from stillwatch.lab.baselines.contract import ALONE, Floats, Ints, Suspicion
from stillwatch.lab.baselines.log import Calls, Log, blocks, calls_of, coded

PERMUTATIONS = 64
SIMILARITY = 0.5
"""Half of the shingles in common: what a template and its filled slots leave."""

WORDS = 5
WORD = re.compile(r"\w+")
SHARED_MIN = 8
"""Owners that send near-duplicates of each other before their calls count as shared."""

WINDOW_SECONDS = 60
PROBABILITY = 0.95
SEED = 2026


def minhash_linkage(log: Log) -> Iterator[tuple[str, Suspicion]]:
    """Yield three orders of the accounts, all of one graph of kinds of prompts and linked accounts."""
    calls = calls_of(log)
    kind = _kinds(log)
    account, of_kind = calls.account[kind >= 0], kind[kind >= 0]
    owners = np.bincount(_first_of_pair(of_kind, calls.owner[account]), minlength=int(kind.max(initial=0)) + 1)
    linked = _linked(calls)
    shared = owners[of_kind] >= 2
    community = _communities(len(calls.accounts), account[shared], of_kind[shared], linked)
    size = np.bincount(_first_of_pair(community, calls.owner), minlength=int(community.max(initial=0)) + 1)[community]
    made = np.maximum(np.bincount(calls.account, minlength=len(calls.accounts)), 1)
    common = np.bincount(account[owners[of_kind] >= SHARED_MIN], minlength=len(calls.accounts)) / made
    links = np.bincount(np.concatenate(linked), minlength=len(calls.accounts))
    cluster = np.where(size > 1, community, ALONE)
    yield "owners in its community", Suspicion.of(calls.accounts, size + common / 2, cluster)
    yield (
        "share of near-duplicates",
        Suspicion.of(calls.accounts, common + links / (links.max(initial=0) + 1) / 1e3, cluster),
    )
    yield "linked accounts", Suspicion.of(calls.accounts, links + common / 2, cluster)


def _first_of_pair(first: Ints, second: Ints) -> Ints:
    """Return the first of each distinct pair."""
    pairs = np.unique(np.stack([first, second]), axis=1)
    return pairs[0]


def _kinds(log: Log) -> Ints:
    """Return the number of each call's kind of prompt: near-duplicates of one representative."""
    from datasketch import MinHash, MinHashLSH

    texts, code = coded(log.table(["input_text"])["input_text"])
    index = MinHashLSH(threshold=SIMILARITY, num_perm=PERMUTATIONS)
    kind = np.empty(len(texts) + 1, np.int64)
    kind[-1] = -1
    shingles = (_shingles(text.as_py()) for text in texts)
    for number, sketch in enumerate(MinHash.generator(shingles, num_perm=PERMUTATIONS)):
        known = index.query(sketch)
        kind[number] = min(known) if known else number
        if not known:
            index.insert(number, sketch, check_duplication=False)
    return kind[code]


def _shingles(text: str) -> list[bytes]:
    words = WORD.findall(text.lower())
    return [" ".join(words[at : at + WORDS]).encode() for at in range(max(len(words) - WORDS + 1, 1))]


def _linked(calls: Calls) -> tuple[Ints, Ints]:
    """Return the pairs of accounts of different owners that Splink links."""
    import splink.comparison_library as compare
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    logging.getLogger("splink").setLevel(logging.CRITICAL)
    facts = calls.facts
    day = pc.floor_temporal(facts["created_at"], unit="day").cast(pa.string())
    table = pa.table(
        {
            "unique_id": pa.array(np.arange(len(calls.accounts))), "payment": facts["payment_digest"],
            "block": blocks(facts["signup_ip"]), "domain": facts["email_domain"],
            "client": facts["signup_tls_fingerprint"], "day": day,
        }
    )  # fmt: skip
    fields = ("payment", "block", "domain", "client", "day")
    rules = [block_on("payment"), block_on("block"), block_on("domain", "day"), block_on("client", "day")]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[compare.ExactMatch(name).configure(term_frequency_adjustments=True) for name in fields],
        blocking_rules_to_generate_predictions=rules,
    )
    linker = Linker(DuckDBAPI().register(table), settings)
    linker.training.estimate_probability_two_random_records_match([rules[0]], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=SEED)
    for rule in rules:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=PROBABILITY, warning_mode="never").as_pyarrow_table()
    one, two = (found[f"unique_id_{side}"].to_numpy().astype(np.int64) for side in "lr")
    apart = calls.owner[one] != calls.owner[two]
    return one[apart], two[apart]


def _communities(accounts: int, account: Ints, kind: Ints, linked: tuple[Ints, Ints]) -> Ints:
    """Return the community of each account in the graph of accounts, kinds and links, by NetworKit's Louvain."""
    import networkit as nk

    nk.engineering.setSeed(SEED, False)
    _, number = np.unique(kind, return_inverse=True)
    pairs, weight = np.unique(np.stack([account, accounts + number]), axis=1, return_counts=True)
    graph = nk.Graph(accounts + int(number.max(initial=-1)) + 1, weighted=True)
    first = np.concatenate([pairs[0], linked[0]])
    second = np.concatenate([pairs[1], linked[1]])
    weights = np.concatenate([np.log1p(weight), np.ones(len(linked[0]))])
    graph.addEdges((weights, (first.astype(np.uint64), second.astype(np.uint64))))
    found = nk.community.PLM(graph, refine=True).run().getPartition().getVector()
    return np.array(found[:accounts], np.int64)


def co_action_toolkit(log: Log) -> Iterator[tuple[str, Suspicion]]:
    """Yield the accounts ordered by their heaviest edge in the toolkit's co-tweet network."""
    import sqlite3

    from coordination_network_toolkit.compute_networks import compute_co_tweet_network
    from coordination_network_toolkit.preprocess import preprocess_data

    calls = calls_of(log)
    base = Path(os.environ["CONTENDER_FOLDER"]) / "co-action.sqlite"
    base.unlink(missing_ok=True)
    with redirect_stdout(sys.stderr):
        preprocess_data(str(base), _messages(log))
        compute_co_tweet_network(str(base), WINDOW_SECONDS, n_threads=os.cpu_count() or 1)
    place = {name: at for at, name in enumerate(calls.accounts.to_pylist())}
    rows = sqlite3.connect(base).execute("SELECT user_1, user_2, weight FROM co_tweet_network WHERE user_1 < user_2")
    edges = np.array([(place[one], place[two], weight) for one, two, weight in rows], np.int64).reshape(-1, 3).T
    base.unlink()
    edges = edges[:, calls.owner[edges[0]] != calls.owner[edges[1]]]
    yield "heaviest edge", _by_edge(calls, edges)


def _messages(log: Log) -> Iterator[tuple[object, ...]]:
    for batch in log.batches(["event_id", "account_id", "input_text", "time"]):
        seconds = pc.divide(batch["time"].cast(pa.int64()), 1_000_000)
        columns = (batch["event_id"], batch["account_id"], batch["input_text"], seconds)
        for event, account, text, second in zip(*(column.to_pylist() for column in columns), strict=True):
            if text is not None:
                yield event, account, account, None, None, text, second, ()


def _by_edge(calls: Calls, edges: Ints) -> Suspicion:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = len(calls.accounts)
    score: Floats = np.full(size, -np.inf)
    for end in edges[:2]:
        np.maximum.at(score, end, edges[2].astype(np.float64))
    graph = coo_array((edges[2], (edges[0], edges[1])), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    return Suspicion.of(calls.accounts, score, np.where(np.isfinite(score), component, ALONE))


def co_action_lab(log: Log) -> Iterator[tuple[str, Suspicion]]:
    yield "heaviest edge", co_action.suspect(log, log, SEED)


CONTENDERS: Mapping[str, Callable[[Log], Iterator[tuple[str, Suspicion]]]] = {
    "minhash-linkage": minhash_linkage,
    "co-action": co_action_toolkit,
    "co-action-lab": co_action_lab,
}


def write(name: str, log: Log, out: Path) -> None:
    os.environ["CONTENDER_FOLDER"] = str(out)
    for number, (order, suspicion) in enumerate(CONTENDERS[name](log)):
        columns = {"account_id": suspicion.accounts, "score": suspicion.score, "cluster": suspicion.cluster}
        table = pa.table(columns).replace_schema_metadata({"order": order})
        pq.write_table(table, out / f"order-{number}.parquet")


def grade(world: Path, out: Path, rate: float) -> dict[str, object]:
    """Return the best of a method's orders against the truth, at its best threshold and at a rate of false ones."""
    from stillwatch.lab.benchmark.rivals import graded
    from stillwatch.lab.score import who_called

    called = who_called(world / "truth")
    truth = dict(zip(called["account_id"].to_pylist(), called["campaign"].to_pylist(), strict=True))
    found = []
    for path in sorted(out.glob("order-*.parquet")):
        table = pq.read_table(path)
        suspicion = Suspicion(
            table["account_id"].combine_chunks(), table["score"].to_numpy(), table["cluster"].to_numpy()
        )
        found.append(
            {"order": (table.schema.metadata or {})[b"order"].decode(), **asdict(graded(suspicion, truth, rate))}
        )
    return max(found, key=lambda each: float(each["best_f"]))


def main(command: str, *words: str) -> None:
    if command == "run":
        name, world, out = words
        write(name, Log(Path(world) / "events", Path(world) / "accounts.jsonl"), Path(out))
    else:
        world, out, rate = words
        print(json.dumps(grade(Path(world), Path(out), float(rate))))


if __name__ == "__main__":
    main(*sys.argv[1:])

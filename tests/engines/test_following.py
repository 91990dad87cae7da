"""Topics into a store: exactly once, whenever the process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.engines import following
from stillwatch.engines.following import Follower, FollowRequest
from stillwatch.errors import Error
from stillwatch.pseudonym import UNKEYED, key_ident
from stillwatch.store.parts import read_calls
from stillwatch.store.store import Store
from tests.adapters.brokers import KINDS, PARTITIONS, Broker, started
from tests.adapters.test_kafka import record
from tests.house.repository import ROOT
from tests.scenes.scene import Silent

COUNT = 1_000

PROGRAM = """
import os, signal, sys
from stillwatch.adapters import kafka
from stillwatch.store.store import Store
from tests.engines.test_following import look
kafka.TAKE_MESSAGES_MAX, kafka.CONSUME_MESSAGES_MAX = 100, 50
source, folder, where = sys.argv[1:]
commit_store, commit_offsets = Store.commit, kafka.Topic.commit
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def told(*given):
    commit_offsets(*given)
    print("told", flush=True)
if where == "before the digest":
    Store.commit = lambda store, change: kill() if store.manifest.number > 3 else commit_store(store, change)
elif where == "after the digest":
    kafka.Topic.commit = kill
else:
    kafka.Topic.commit = told
look(source, folder)
"""


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with started(request.param, tmp_path) as one:
        one.create()
        yield one


def look(source: str, folder: str, **settings: object) -> list[Error]:
    """Look at a topic once, as a watch does again and again; return what was reported."""
    request = FollowRequest((source,), f"{folder}/store", Path(folder), **settings)  # type: ignore[arg-type]
    reported: list[Error] = []
    follower = Follower(request, Store.open(request.store, key_ident(UNKEYED), create=True), Silent())
    try:
        follower.look(0.0, 0.0, reported.append)
    finally:
        follower.close()
    return reported


def idents(folder: Path) -> list[str]:
    """Every event id in the store, repeats and all."""
    store = Store.open(f"{folder}/store", None)
    return sorted(
        ident
        for part in store.manifest.parts
        for batch in read_calls(store.place, part, ["event_id"])
        for ident in batch["event_id"].to_pylist()
    )


def killed(broker: Broker, folder: Path, where: str, after: int = 0) -> None:
    """Run a look in a process of its own and kill it: at a place, or after so many takes were told to the broker."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, broker.source(), str(folder), where],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
    )
    assert running.stdout is not None
    if where == "anywhere":
        for _ in range(after):
            assert running.stdout.readline() == b"told\n"
        running.kill()
    running.communicate(timeout=120)
    assert running.returncode == -signal.SIGKILL


def test_a_process_that_is_killed_at_the_worst_moment_loses_nothing_and_counts_nothing_twice(
    broker: Broker, tmp_path: Path
) -> None:
    broker.send([record(n) for n in range(COUNT)])
    killed(broker, tmp_path, "after the digest")
    first = len(idents(tmp_path))
    assert 0 < first < COUNT, "the digest was durable"
    assert max(broker.committed()) < 0, "and the broker knew nothing of it"
    killed(broker, tmp_path, "after the digest")
    assert first < len(idents(tmp_path)) < COUNT
    killed(broker, tmp_path, "before the digest")
    killed(broker, tmp_path, "anywhere", after=2)
    assert look(broker.source(), str(tmp_path)) == []
    assert idents(tmp_path) == sorted(f"e{n}" for n in range(COUNT))
    assert broker.committed() == [COUNT // PARTITIONS] * PARTITIONS


@pytest.mark.parametrize("broker", ["mock"], indirect=True)
def test_a_topic_in_which_most_messages_are_bad_ends_with_what_was_good(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = broker.source()
    broker.send([record(n) for n in range(20)] + [b"no JSON"] * 3)
    assert look(source, str(tmp_path)) == [], "of a few messages a share says nothing"
    monkeypatch.setattr(following, "REJECTED_MIN", 10)
    broker.send([b"no JSON"] * 20 + [record(n) for n in range(20, 40)])
    for _ in range(2):
        with pytest.raises(Error) as ended:
            look(source, str(tmp_path))
        assert ended.value.ident == "too-many-bad-messages"
    assert len(idents(tmp_path)) == 20
    assert look(source, str(tmp_path), rejected_max=0.9) == []
    assert len(idents(tmp_path)) == 40
    rejected = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert {each["reason"] for each in rejected} == {"not-json"}
    assert rejected[0]["file"].startswith(source)


@pytest.mark.parametrize("broker", ["mock"], indirect=True)
def test_a_source_that_fails_keeps_no_other_from_its_turn(broker: Broker, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(json.dumps(record(0)) + "\n")
    broker.send([record(1)])
    sources = (str(logs), broker.source("nowhere"), broker.source())
    request = FollowRequest(sources, f"{tmp_path}/store", tmp_path)
    follower = Follower(request, Store.open(request.store, key_ident(UNKEYED), create=True), Silent())
    for _ in range(2):
        with pytest.raises(Error) as failed:
            follower.look(0.0, 0.0, lambda error: None)
        assert failed.value.ident == "no-such-topic"
    follower.close()
    assert idents(tmp_path) == ["e0", "e1"]


def test_an_adapter_is_chosen_by_what_the_messages_hold(tmp_path: Path) -> None:
    """A topic of another dialect is read as a file of it would be."""
    with started("mock", tmp_path) as broker:
        broker.create()
        broker.send(
            [
                {
                    "start_time": f"2026-09-21T14:{n:02d}:20.123Z", "response_code": 200, "x-request-id": f"r{n}",
                    "gen_ai.request.model": "model-a", "consumer": f"c-{n}",
                }
                for n in range(40)
            ]
        )  # fmt: skip
        assert look(broker.source(), str(tmp_path)) == []
    assert len(idents(tmp_path)) == 40


def test_the_list_of_bad_records_is_put_aside_before_it_fills_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "REJECTED_BYTES_MAX", 100)
    listed = tmp_path / "rejected.jsonl"
    listed.write_text("x" * 101)
    assert look(str(tmp_path / "*.jsonl.gz"), str(tmp_path)) == []
    assert not listed.exists()
    assert (tmp_path / "rejected.earlier.jsonl").stat().st_size == 101

"""Ask whether a campaign's replacement accounts are known at their first call, and whether anybody else seems one.

    .venv/bin/python -m bench.immunisation                       every campaign below, a world of each
    .venv/bin/python -m bench.immunisation --scenarios ledger-c7 --seeds 6201

A world is simulated, its campaign's accounts are parted in two, and the standby's calls are kept from detection: those
of the accounts that begin after a handover where the scenario has one, else those of a random half. `stillwatch detect`
reads the rest, `stillwatch snapshot build` signs what it found, and the gate decides call by call, in order of time,
with the policy `strict`: the standby's calls, the honest calls of the same world, and a world of look-alikes that
detection has not seen. Only the laboratory's truth tells them apart, after the fact.

Steps that are done are kept in `build/bench/immunisation`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.detection import ROOT, SOURCE, code, digest
from bench.measuring import STILLWATCH, Found, machine, once, run_well, say, write_result
from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.source import list_files
from stillwatch.evidence.signing import new_private_key, public_key
from stillwatch.gate.contract import RUNGS, Call, Decision, Recognition
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.policy import load
from stillwatch.gate.rehearsal import read_calls
from stillwatch.gate.service import Gate
from stillwatch.gate.snapshot import OpenSnapshot, key_of_block, open_snapshot
from stillwatch.pseudonym import UNKEYED

SCENARIOS = (
    "bench:400000,demo,ledger-c2,ledger-c3,ledger-c5,ledger-c7,"
    "ledger-c10,ledger-c14,evasion-1-low-and-slow,evasion-5-rotation"
)
"""Campaigns that detection finds, by their texts, some with a number of calls: who is not found has no signature."""

LOOKALIKES = "lookalikes"
SEEDS = "6201"
POLICY = "strict"

HANDOVER_ACCOUNTS_MIN = 20
"""Where as many accounts of the campaign begin in the second half of its calls, these are the standby."""

FIRST_CALLS = (1, 2, 3)

RECALL_FIRST_MIN, RECALL_THIRD_MIN = 0.95, 0.99
FALSE_SHARE_MAX = 1e-5
"""What issue and page promise: of standby accounts by their first and third call; of all honest calls."""

ACTING = frozenset(RUNGS[RUNGS.index("cap") :])

EVENTS, TRUTH = "events", "truth"


@dataclass(slots=True)
class Seen:
    """What the gate did with the calls of one kind. `at_call[n]` are accounts first recognised at their n-th call."""

    accounts: set[str] = field(default_factory=set)
    calls: int = 0
    recognised_calls: int = 0
    acted_calls: int = 0
    recognised_accounts: set[str] = field(default_factory=set)
    acted_accounts: set[str] = field(default_factory=set)
    at_call: Counter[int] = field(default_factory=Counter)
    refused_at_call: Counter[int] = field(default_factory=Counter)
    rungs: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)

    def add(self, account: str, recognition: Recognition, decision: Decision) -> None:
        self.accounts.add(account)
        self.calls += 1
        self.asked[account] += 1
        self.rungs[decision.rung] += 1
        if recognition.signature:
            self.recognised_calls += 1
            if account not in self.recognised_accounts:
                self.recognised_accounts.add(account)
                self.at_call[self.asked[account]] += 1
        if decision.rung in ACTING:
            self.acted_calls += 1
            self.acted_accounts.add(account)
        if decision.is_refusal and account not in self.refused:
            self.refused.add(account)
            self.refused_at_call[self.asked[account]] += 1

    def told(self) -> Found:
        return {
            "accounts": len(self.accounts), "calls": self.calls, "recognised_calls": self.recognised_calls,
            "acted_calls": self.acted_calls, "recognised_accounts": len(self.recognised_accounts),
            "acted_accounts": len(self.acted_accounts), "rungs": dict(sorted(self.rungs.items())),
            **{f"recognised_by_{n}": sum(self.at_call[k] for k in FIRST_CALLS if k <= n) for n in FIRST_CALLS},
            **{f"refused_by_{n}": sum(self.refused_at_call[k] for k in FIRST_CALLS if k <= n) for n in FIRST_CALLS},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world, and who is who in it."""

    folder: Path
    campaign_of_call: dict[str, str]
    campaign_of_account: dict[str, str]
    class_of_account: dict[str, str]

    @staticmethod
    def of(folder: Path) -> World:
        calls = pq.read_table(folder / TRUTH / "calls.parquet").to_pydict()
        accounts = pq.read_table(folder / TRUTH / "accounts.parquet").to_pydict()
        return World(
            folder,
            dict(zip(calls["event_id"], calls["campaign"], strict=True)),
            {name: of for name, of in zip(accounts["account_id"], accounts["campaign"], strict=True) if of},
            dict(zip(accounts["account_id"], accounts["class"], strict=True)),
        )

    def events(self) -> pa.Table:
        return pq.read_table(sorted((self.folder / EVENTS).iterdir()))


def simulated(asked: str, seed: int, folder: Path) -> World:
    """Write a world, unless it is there; `asked` is a scenario, with `:` and a number of calls where it is cut."""
    scenario, _, calls = asked.partition(":")
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = ["simulate", "--scenario", scenario, "--seed", str(seed), "--out", str(folder), "--no-progress"]
        command += ["--calls", calls] if calls else []
        run_well([*STILLWATCH, *command], folder.with_suffix(".simulate.log"))
        (folder / "done").touch()
    return World.of(folder)


def standby(world: World, events: pa.Table, seed: int) -> tuple[dict[str, str], str]:
    """Choose the accounts that detection does not see, with their campaigns, and say how they were chosen."""
    campaign = pa.array([world.campaign_of_call.get(name) for name in events["event_id"].to_pylist()], pa.string())
    own = events.select(["account_id", "time"]).append_column("campaign", campaign)
    own = own.filter(pc.is_valid(own["campaign"]))
    times = own["time"].cast(pa.int64())
    handover = pc.approximate_median(times).as_py()
    first = own.group_by(["account_id", "campaign"]).aggregate([("time", "min")]).to_pylist()
    begin = {row["account_id"]: row for row in first}
    late = {name: row["campaign"] for name, row in begin.items() if row["time_min"].timestamp() * 1e6 > handover}
    if len(late) >= HANDOVER_ACCOUNTS_MIN and len(set(world.campaign_of_call.values())) == 1:
        return late, "handover"
    rng = random.Random(seed)
    return {name: begin[name]["campaign"] for name in sorted(begin) if rng.random() < 0.5}, "half"


def learnt(world: World, events: pa.Table, kept_back: dict[str, str], how: str, work: Path) -> None:
    """Detect on what is left without the standby, and build a snapshot of it."""
    seen = work / "seen"
    seen.mkdir(parents=True, exist_ok=True)
    without = pc.invert(pc.is_in(events["account_id"], pa.array(list(kept_back), pa.string())))
    if how == "handover":
        # Detection ends where the standby begins; what its accounts sent before is in the log, as it would be.
        names = set(kept_back)
        firsts = events.filter(pc.is_in(events["account_id"], pa.array(list(names), pa.string())))
        mine = [name in world.campaign_of_call for name in firsts["event_id"].to_pylist()]
        begin = pc.min(firsts.filter(pa.array(mine))["time"])
        without = pc.less(events["time"], begin)
    pq.write_table(events.filter(without), seen / "seen.parquet")
    (work / "signer.key").write_bytes(new_private_key())
    key = (work / "signer.key").read_bytes()
    (work / "signer.pub").write_bytes(public_key(key))
    accounts = ["--accounts", str(world.folder / "accounts.jsonl")]
    detect = ["detect", str(seen), *accounts, "--out", str(work / "run"), "--force", "--no-power"]
    run_well([*STILLWATCH, *detect], work / "detect.log")
    build = ["snapshot", "build", "--run", str(work / "run"), "--key", str(work / "signer.key"), *accounts]
    run_well([*STILLWATCH, *build, "--out", str(work / "gate.snapshot")], work / "build.log")


class Silent:
    """A meter that counts alarms and tells nobody."""

    def __init__(self) -> None:
        self.alarms = Counter[str]()

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        return None

    def alarm(self, ident: str) -> None:
        self.alarms[ident] += 1


def decided(snapshot: OpenSnapshot, calls: Iterator[Call]) -> Iterator[tuple[Call, Recognition, Decision]]:
    """Let a gate with the policy `strict` decide calls in their order."""
    policy = load(Path(POLICY), _now_us())
    gate = Gate(lambda: snapshot, lambda: policy, MemoryState(), Silent(), key_of_block(UNKEYED))
    loop = asyncio.new_event_loop()
    try:
        for call in calls:
            ticket = loop.run_until_complete(gate.decide(call, "bench"))
            yield call, ticket.recognition, ticket.decision
    finally:
        loop.close()


def calls_of(table: pa.Table, folder: Path) -> Iterator[tuple[str, Call]]:
    """Yield calls of a table of events in order of time, each with its event's id."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = table.sort_by("time")
    pq.write_table(ordered, folder / "played.parquet")
    files = list_files([str(folder / "played.parquet")])
    read = read_calls(files, "canonical", ReadSettings(), lambda rejection: None, lambda rows, size: None)
    return zip(ordered["event_id"].to_pylist(), (call for call, _ in read), strict=True)


def played(world: World, table: pa.Table, kept_back: dict[str, str], snapshot: OpenSnapshot, work: Path) -> Found:
    """Play events through the gate; return what it did with the standby's campaign calls and with honest calls."""
    idents: list[str] = []

    def calls() -> Iterator[Call]:
        for ident, call in calls_of(table, work):
            idents.append(ident)
            yield call

    by_campaign: defaultdict[str, Seen] = defaultdict(Seen)
    by_class: defaultdict[str, Seen] = defaultdict(Seen)
    for call, recognition, decision in decided(snapshot, calls()):
        name, campaign = call.account_id, world.campaign_of_call.get(idents[-1])
        if campaign is not None and kept_back.get(name) == campaign:
            by_campaign[campaign].add(name, recognition, decision)
        elif campaign is None and name not in world.campaign_of_account:
            by_class[world.class_of_account[name]].add(name, recognition, decision)
    return {
        "standby": {name: seen.told() for name, seen in sorted(by_campaign.items())},
        "honest": {name: seen.told() for name, seen in sorted(by_class.items())},
    }


def measured(scenario: str, seed: int, work: Path) -> Found:
    """Learn one world without its standby, and play what was kept back and a world of look-alikes."""
    say(f"{scenario}, seed {seed} …")
    name = scenario.partition(":")[0]
    world = simulated(scenario, seed, work / f"{name}-{seed}")
    events = world.events()
    folder = work / f"{name}-{seed}.gate"
    kept_back, how = standby(world, events, seed)
    learnt(world, events, kept_back, how, folder)
    pems = {"signer.pub": (folder / "signer.pub").read_bytes()}
    end_us = int(pc.max(events["time"]).cast(pa.int64()).as_py())
    snapshot = open_snapshot(folder / "gate.snapshot", pems, UNKEYED, _now_us())
    unseen = simulated(LOOKALIKES, seed + 500, work / f"{LOOKALIKES}-{seed + 500}")
    run = [json.loads(line) for line in (folder / "run" / "campaigns.jsonl").read_text().splitlines()]
    result = {
        "scenario": scenario, "seed": seed, "standby_by": how, "until_us": end_us, "found_campaigns": len(run),
        "counts": snapshot.head.counts, "left_out": snapshot.head.left_out,
        "own_world": played(world, events, kept_back, snapshot, folder),
        "unseen_world": played(unseen, unseen.events(), {}, snapshot, folder),
    }  # fmt: skip
    shutil.rmtree(folder / "seen", ignore_errors=True)
    (folder / "played.parquet").unlink(missing_ok=True)
    return result


def _now_us() -> int:
    import time

    return time.time_ns() // 1000


def summed(rows: Sequence[Found]) -> Found:
    """Add up standby accounts of the campaigns that detection found, and all honest calls."""
    standbys = [one for row in rows for one in row["own_world"]["standby"].values()]
    found = [one for one in standbys if one["recognised_calls"]]
    total = sum(one["accounts"] for one in standbys)
    met = sum(one["accounts"] for one in found)
    honest = [one for row in rows for world in ("own_world", "unseen_world") for one in row[world]["honest"].values()]
    calls = sum(one["calls"] for one in honest)
    return {
        "standby_accounts": total, "standby_accounts_of_marked": met,
        **{
            f"{what}_by_{n}": sum(one[f"{what}_by_{n}"] for one in standbys)
            for what in ("recognised", "refused") for n in FIRST_CALLS
        },
        "honest_calls": calls, "honest_accounts": sum(one["accounts"] for one in honest),
        "honest_recognised_calls": sum(one["recognised_calls"] for one in honest),
        "honest_acted_calls": sum(one["acted_calls"] for one in honest),
        "honest_acted_accounts": sum(one["acted_accounts"] for one in honest),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> Found:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--scenarios", default=SCENARIOS)
    options.add_argument("--seeds", default=SEEDS)
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "immunisation")
    asked = options.parse_args(arguments)
    asked.work.mkdir(parents=True, exist_ok=True)
    everything = digest(SOURCE)
    rows = []
    for scenario in asked.scenarios.split(","):
        for seed in map(int, asked.seeds.split(",")):
            key = {"scenario": scenario, "seed": seed, "source": everything, "bench": digest(Path(__file__))}
            step = asked.work / f"{scenario.partition(':')[0]}-{seed}.json"
            rows.append(once(step, key, lambda name=scenario, number=seed: measured(name, number, asked.work)))
    result = {
        "schema_version": 1, "code": code(version("stillwatch")), "machine": machine(asked.work),
        "policy": POLICY, **summed(rows), "rows": rows,
    }  # fmt: skip
    write_result(asked.work.parent / "immunisation.json", result)
    print(json.dumps({name: value for name, value in result.items() if name != "rows"}, indent=1))
    return result


if __name__ == "__main__":
    main()

"""Time the gate: one decision, each of its doors beside the least that could stand there, its proxy beside LiteLLM's.

    .venv/bin/python -m bench.gate                    three rounds of everything, ten minutes on two cores
    .venv/bin/python -m bench.gate --quick            a glance, with a small snapshot, kept in build/bench/gate-quick
    .venv/bin/python -m bench.gate --only core,door   some steps

Each figure stands beside its yardstick of the same run; rounds take turns, and their medians are what counts. Steps
that are done are kept in build/bench/gate and not repeated while code and question stay the same. The result is
build/bench/gate.json; `bench.gate_page` makes the page of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.detection import ROOT, SOURCE, code, digest
from bench.gate_world import PROMPT_BYTES, SEED, Place, Size
from bench.measuring import Found, machine, once, write_result

BENCH = ROOT / "bench"
LITELLM = ROOT / ".venv-litellm" / "bin" / "litellm"
FULL = Size()
RATE = 1_000
"""Calls a second of the proxy's measurement."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. Counts are of a round; seconds are of one load."""

    size: Size = FULL
    rounds: int = 3
    decisions: int = 50_000
    seconds: float = 5.0
    proxy_seconds: float = 4.0
    proxy_rate: int = RATE
    litellm_seconds: float = 10.0
    checks: int = 4_000
    swaps: int = 5
    swap_rate: float = 1_000.0
    state_calls: int = 100_000
    state_asks: int = 10_000


QUICK = Plan(Size(20_000, 500), 1, 500, 0.5, 0.5, 100, 2.0, 100, 2, 100.0, 2_000, 500)


def core(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_core

    return gate_core.measured(place, plan.size, plan.rounds, plan.decisions)


def door(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_door

    return gate_door.measured(place, plan.rounds, plan.seconds)


def swap(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_door

    return gate_door.swapped(place, plan.rounds, plan.swaps, plan.swap_rate)


def proxy(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_proxy

    # Two turns of a round, each server once before and once after the others.
    rounds = [gate_proxy.measure(plan.proxy_rate, 2, plan.proxy_seconds / 2, place.folder) for _ in range(plan.rounds)]
    return {"rate": plan.proxy_rate, "rounds": rounds}


def beside_litellm(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_litellm

    if not litellm.exists():
        return {"absent": "LiteLLM is not installed: tools/setup.sh litellm"}
    return gate_litellm.measured(place, litellm, plan.rounds, plan.litellm_seconds)


def envoy(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_envoy

    return gate_envoy.measured(place, plan.rounds, plan.checks)


def state(plan: Plan, place: Place, litellm: Path) -> Found:
    from bench import gate_state

    found: Found = {"memory": gate_state.in_memory(plan.state_calls, plan.rounds)}
    if not redis_is_there():
        return {**found, "absent": "there is no Redis: apt-get install -y redis-server"}
    with gate_state.server() as url:
        found["redis"] = gate_state.run(gate_state.shared(url, plan.state_asks, plan.rounds))
    return found


STEPS: dict[str, Callable[[Plan, Place, Path], Found]] = {
    "core": core, "door": door, "proxy": proxy, "litellm": beside_litellm, "envoy": envoy, "swap": swap, "state": state,
}  # fmt: skip


def redis_is_there() -> bool:
    return bool(shutil.which("redis-server") or shutil.which("valkey-server"))


def noted(act: Callable[[], Found]) -> Found:
    """Return what was found with the load before and after, and medians of its rounds."""
    before = os.getloadavg()[0]
    found = act()
    if "rounds" in found:
        found["median"] = medians(found["rounds"])
    return {**found, "load_before": round(before, 2), "load_after": round(os.getloadavg()[0], 2)}


def medians(rounds: Sequence[Any]) -> Any:
    """Return, for every number of a round, the median of the rounds; what is no number is the first round's."""
    first = rounds[0]
    if isinstance(first, dict):
        return {name: medians([each[name] for each in rounds if name in each]) for name in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        known = [each for each in rounds if each is not None]
        return float(statistics.median(known))
    return first


def key_of(plan: Plan, litellm: Path) -> Found:
    """Return what a step hangs on: how much is measured, the code, and what is installed."""
    measures = [BENCH / name for name in ("gate.py", "prompts.py", "measuring.py")]
    measures += sorted(BENCH.glob("gate_*.py"))
    held = digest(*(path for path in measures if path.name != "gate_page.py"))
    installed = {"litellm": litellm.exists(), "redis": redis_is_there()}
    return {"plan": json.loads(json.dumps(plan, default=vars_of)), "source": digest(SOURCE), "bench": held, **installed}


def vars_of(plan: Any) -> Found:
    return {name: getattr(plan, name) for name in plan.__slots__}


def measured(plan: Plan, work: Path, litellm: Path, only: Sequence[str] = tuple(STEPS)) -> Found:
    """Do every step that is not done yet, and return all figures; a step that was not asked for is None."""
    from bench import gate_world

    work.mkdir(parents=True, exist_ok=True)
    place = Place(work / "world")
    asked = key_of(plan, litellm)
    if not place.settings.exists():
        (work / "world.json").unlink(missing_ok=True)
    world = once(work / "world.json", asked, lambda: gate_world.written(place.folder, plan.size))
    found = {
        name: once(work / f"{name}.json", asked, lambda act=act: noted(lambda: act(plan, place, litellm)))
        for name, act in STEPS.items()
        if name in only
    }
    return {
        "schema_version": 1, "code": code(version("stillwatch")), "machine": machine(work), "seed": SEED,
        "prompt_bytes": PROMPT_BYTES, "rounds_count": plan.rounds, "world": world,
        **{name: found.get(name) for name in STEPS},
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> Found:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int)
    options.add_argument("--quick", action="store_true", help="tiny counts: to see that it works, not how fast it is")
    options.add_argument("--only", default=",".join(STEPS), help=f"of {', '.join(STEPS)}, with commas between")
    options.add_argument("--litellm", type=Path, default=LITELLM, help="the program of LiteLLM's proxy")
    options.add_argument("--work", type=Path, help="folder of the steps; the result is beside it, under its name")
    asked = options.parse_args(arguments)
    base = QUICK if asked.quick else Plan()
    values = vars_of(base)
    plan = Plan(**{**values, "rounds": asked.rounds or base.rounds})
    only = asked.only.split(",")
    if unknown := set(only) - set(STEPS):
        options.error(f"there is no step named {', '.join(sorted(unknown))}")
    work = asked.work or ROOT / "build" / "bench" / ("gate-quick" if asked.quick else "gate")
    result = {"quick": asked.quick, **measured(plan, work, asked.litellm, only)}
    write_result(work.parent / f"{work.name}.json", result)
    return result


if __name__ == "__main__":
    main()

"""Targets and tables of what `bench.gate` and `bench.immunisation` measured, for their page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.scale_figures import NOT_YET
from stillwatch.lab.benchmark.figures import count, number, paragraph, percent, small, table
from stillwatch.lab.score import upper_bound

Found = dict[str, Any]

SNAPSHOT_BYTES_MAX = 300_000_000
DECISION_P50_US_MAX = 50.0
DOOR_SHARE_MIN = 0.5
PROXY_ADDED_P50_MS_MAX, PROXY_ADDED_P99_MS_MAX = 0.5, 5.0
LITELLM_TIMES_MIN = 40.0
STATE_US_MAX = 5.0
RECALL_FIRST_MIN, RECALL_THIRD_MIN = 0.95, 0.99
FALSE_SHARE_MAX = 1e-5
"""What was promised of the gate."""

KINDS = {"unknown": "nobody known", "confirmed": "an account that a person confirmed", "recognised": "a replacement"}

UNSHOWN = "not shown"
"""Where the share that was seen holds, and its 95 % bound does not: too few were tried."""


@dataclass(frozen=True, slots=True)
class Target:
    """One promise. `met` is yes, no, or UNSHOWN; None where it was not measured."""

    what: str
    wanted: str
    measured: str = NOT_YET
    met: str | None = None


def targets(gate: Found | None, immune: Found | None) -> list[Target]:
    """Return every promise with what was measured of it."""
    found = gate or {}
    return [*_core(found), *_doors(found), *_rest(found), *_immune(immune)]


def _core(found: Found) -> Iterator[Target]:
    one = middle(found, "core")
    p50 = one["unknown"]["p50_us"] if one else None
    yield _below("one decision on a prompt of 4 KB, p50", "µs", p50, DECISION_P50_US_MAX)
    held = found.get("world")
    whole = held is not None and held["accounts"] >= 1_000_000 and held["signatures"] >= 10_000
    size = held["file_bytes"] / 1e6 if held and whole else None
    yield _below("snapshot of 1,000,000 accounts and 10,000 signatures", "MB", size, SNAPSHOT_BYTES_MAX / 1e6)


def _doors(found: Found) -> Iterator[Target]:
    one = middle(found, "door")
    for size in prompt_sizes(one):
        share = one[f"prompt_{size}"]["share_of_bare"] if one else None
        what = f"calls a second of the guardrail door, as a share of a bare look-up's, prompts of {size:,} bytes"
        yield _above(what, "of it", share, DOOR_SHARE_MIN, 2)
    one = middle(found, "proxy")
    yield _below("added by decisions to a proxied call, p50", "ms", _of(one, "added_p50_ms"), PROXY_ADDED_P50_MS_MAX, 2)
    yield _below("added by decisions to a proxied call, p99", "ms", _of(one, "added_p99_ms"), PROXY_ADDED_P99_MS_MAX, 2)
    one = middle(found, "litellm")
    yield _above("calls a second of the proxy, over LiteLLM's", "times", _of(one, "times_as_many"), LITELLM_TIMES_MIN)


def _rest(found: Found) -> Iterator[Target]:
    held = found.get("swap")
    failed = sum(each["failed"] for each in held["rounds"]) if held else None
    told = NOT_YET if failed is None else count(failed)
    met = None if failed is None else _yes(failed == 0)
    yield Target("calls that failed while snapshots were swapped", "none", told, met)
    memory = (found.get("state") or {}).get("memory")
    yield _below(
        "state in memory, a call of nobody known", "µs", memory["ordinary"]["us"] if memory else None, STATE_US_MAX
    )


def _immune(immune: Found | None) -> Iterator[Target]:
    for calls, wanted in ((1, RECALL_FIRST_MIN), (3, RECALL_THIRD_MIN)):
        share = immune[f"recognised_by_{calls}"] / max(immune["standby_accounts"], 1) if immune else None
        what = f"standby accounts recognised by their {'first' if calls == 1 else 'third'} call"
        met = None if share is None else _yes(share >= wanted)
        yield Target(what, f"≥ {percent(wanted)}", NOT_YET if share is None else percent(share), met)
    what, wanted_text = "honest calls that a decision touched", f"≤ {small(FALSE_SHARE_MAX)}"
    if immune is None:
        yield Target(what, wanted_text)
        return
    acted, calls = immune["honest_acted_calls"], immune["honest_calls"]
    bound = upper_bound(acted, calls)
    met = "no" if acted > FALSE_SHARE_MAX * calls else _yes(bound <= FALSE_SHARE_MAX, UNSHOWN)
    yield Target(what, wanted_text, f"{count(acted)} of {count(calls)}, at most {small(bound)}", met)


def _of(one: Found | None, name: str) -> float | None:
    return None if one is None else float(one[name])


def _yes(holds: bool, otherwise: str = "no") -> str:
    return "yes" if holds else otherwise


def _below(what: str, unit: str, value: float | None, limit: float, digits: int = 1) -> Target:
    return _target(what, (f"≤ {limit:g} {unit}".strip(), unit), value, digits, value is not None and value <= limit)


def _above(what: str, unit: str, value: float | None, limit: float, digits: int = 1) -> Target:
    return _target(what, (f"≥ {limit:g} {unit}".strip(), unit), value, digits, value is not None and value >= limit)


def _target(what: str, said: tuple[str, str], value: float | None, digits: int, holds: bool) -> Target:
    wanted, unit = said
    if value is None:
        return Target(what, wanted)
    return Target(what, wanted, f"{number(value, digits)} {unit}".strip(), _yes(holds))


def middle(found: Found, step: str) -> Found | None:
    """Return the medians of a step's rounds; None where it was not measured."""
    one: Found | None = (found.get(step) or {}).get("median")
    return one


def prompt_sizes(one: Found | None) -> Sequence[int]:
    return [int(name.removeprefix("prompt_")) for name in one] if one else [4_096]


def target_table(found: Iterable[Target]) -> str:
    rows = [("", "target", "measured", "met")]
    rows += [(each.what, each.wanted, each.measured, each.met or "") for each in found]
    return table(rows, (0, 3))


def misses(found: Iterable[Target]) -> list[str]:
    """Say each target that is missed in plain words."""
    told = []
    for each in found:
        if each.met == "no":
            told.append(f"**Missed: {each.what}.** {each.measured} was measured, and {each.wanted} was promised.")
        elif each.met == UNSHOWN:
            told.append(
                f"**Not shown: {each.what}.** The share that was seen holds ({each.measured}), and too few were tried "
                f"to say with 95 % confidence that {each.wanted} does."
            )
    return told


def core(gate: Found) -> str:
    """Return the table of decisions beside the sketch alone."""
    head, one = "## One decision", middle(gate, "core")
    if one is None:
        return f"{head}\n\nThis is {NOT_YET}."
    held = gate["core"]
    rows = [("who calls", "p50", "p99", "CPU", "of it recognising, p50", "decided")]
    for kind, name in KINDS.items():
        each = one[kind]
        rungs = ", ".join(f"{rung} {count(times)}" for rung, times in sorted(each["rungs"].items()))
        rows.append(
            (
                name,
                *(micros(each[key]) for key in ("p50_us", "p99_us", "cpu_us")),
                micros(each["recognise"]["p50_us"]),
                rungs,
            )
        )
    sketch = one["sketch"]
    rows.append(
        ("the sketch of the same text alone", *(micros(sketch[key]) for key in ("p50_us", "p99_us", "cpu_us")), "", "")
    )
    told = (
        f"{count(held['decisions'])} calls of each kind in each of {len(held['rounds'])} rounds; prompts of "
        f"{count(held['prompt_bytes'])} bytes, from the call to its decision, with the policy `strict`, a state in "
        f"memory and metrics. A decision takes {number(one['over_sketch'])} times the sketch of its text. A "
        "replacement is capped until its campaign's budget of the hour is used up, and refused from then on. "
        f"{load(held)}"
    )
    return f"{head}\n\n{table(rows, (0, 5))}\n\n{paragraph(told)}"


def door(gate: Found) -> str:
    head, one = "## The guardrail door", middle(gate, "door")
    if one is None:
        return f"{head}\n\nThis is {NOT_YET}."
    rows = [("", "calls a second", "CPU a call", "p50", "p99", "client busy")]
    for size in prompt_sizes(one):
        pair = one[f"prompt_{size}"]
        for key, name in (("door", "guardrail door"), ("bare", "bare look-up")):
            each = pair[key]
            rows.append((
                f"{name}, prompts of {size:,} bytes", count(each["per_second"]), micros(each["cpu_us"]),
                millis(each["p50_us"]), millis(each["p99_us"]), percent(each["client_cpu_share"], 0),
            ))  # fmt: skip
    shares = "; ".join(
        f"with prompts of {size:,} bytes the door reaches {number(one[f'prompt_{size}']['share_of_bare'], 2)} of the "
        f"look-up's calls a second, {number(one[f'prompt_{size}']['share_of_bare_by_cpu'], 2)} by CPU of a call"
        for size in prompt_sizes(one)
    )
    told = (
        f"One core for the server, {gate['door']['connections']} connections from the other. Both read the same bytes; "
        f"the look-up looks at none of them. {shares[0].upper()}{shares[1:]}. {load(gate['door'])}"
    )
    return f"{head}\n\n{table(rows)}\n\n{paragraph(told)}"


def proxy(gate: Found) -> str:
    parts, one = ["## The proxy"], middle(gate, "proxy")
    if one is None:
        parts.append(f"What decisions add is {NOT_YET}.")
    else:
        rows = [("", "p50", "p99", "CPU a call", "failed")]
        names = {"direct": "the upstream itself", "off": "proxy without decisions", "on": "proxy that decides"}
        for key, name in names.items():
            each = one[key]
            rows.append(
                (
                    name,
                    f"{each['p50_ms']:.2f} ms",
                    f"{each['p99_ms']:.2f} ms",
                    micros(each["cpu_us"]),
                    count(each["failed"]),
                )
            )
        told = (
            f"{count(gate['proxy']['rate'])} calls a second begin at fixed times, with prompts of 4 KB; client, "
            f"upstream and proxies share {one['cores']:.0f} cores. {load(gate['proxy'])}"
        )
        parts += [table(rows), paragraph(told)]
    return "\n\n".join([*parts, litellm(gate)])


def litellm(gate: Found) -> str:
    held, one = gate.get("litellm") or {}, middle(gate, "litellm")
    if one is None:
        return f"Beside LiteLLM it is {NOT_YET}." + (f" {held['absent']}." if "absent" in held else "")
    rows = [("", "calls a second", "CPU a call", "p50", "p99", "failed")]
    for key, name in (("own", "the gate's proxy"), ("litellm", f"LiteLLM {held['version']}")):
        each = one[key]
        rows.append((
            name, number(each["per_second"]), f"{each['cpu_ms']:.2f} ms", millis(each["p50_us"]),
            millis(each["p99_us"]), count(each["failed"]),
        ))  # fmt: skip
    told = (
        f"Before the same upstream, {held['connections']} connections, one core for the proxy. The gate's takes "
        f"{number(one['times_as_many'])} times as many calls a second, for "
        f"{number(1 / one['times_the_cpu'], 3)} of the CPU a call. LiteLLM does other work besides: it "
        f"translates among providers and counts costs. {load(held)}"
    )
    return f"{table(rows)}\n\n{paragraph(told)}"


def envoy(gate: Found) -> str:
    head, one = "## ext_authz", middle(gate, "envoy")
    if one is None:
        return f"{head}\n\nThis is {NOT_YET}."
    rows = [("", "p50", "p99", "checks a second", "CPU a check")]
    for at_once, pair in one.items():
        alone = at_once.rpartition("_")[2]
        for key, name in (("door", "the gate's door"), ("bare", "a bare answer")):
            each = pair[key]
            rows.append((
                f"{name}, {alone} at once", millis(each["p50_us"]), millis(each["p99_us"]), count(each["per_second"]),
                micros(each["cpu_us"]),
            ))  # fmt: skip
    held = gate["envoy"]
    told = f"Checks with a body of {count(held['prompt_bytes'])} bytes of prompt; both by grpc.aio. {load(held)}"
    return f"{head}\n\n{table(rows)}\n\n{paragraph(told)}"


def swap(gate: Found) -> str:
    head, world, one = "## The snapshot, and swapping it", gate.get("world"), middle(gate, "swap")
    if world is None:
        return f"{head}\n\nThis is {NOT_YET}."
    told = (
        f"{count(world['accounts'])} accounts and {count(world['signatures'])} signatures take "
        f"{world['file_bytes'] / 1e6:.1f} MB; built in {number(world['build_seconds'])} s, written and signed in "
        f"{number(world['write_seconds'], 2)} s, verified and opened in {number(world['open_seconds'], 2)} s (seed "
        f"{world['seed']})."
    )
    if one is None:
        return f"{head}\n\n{paragraph(told)}\n\nA swap under calls is {NOT_YET}."
    rows = [("", "calls", "failed", "p50", "p99")]
    for key, name in (("quiet", "before"), ("during", f"with {gate['swap']['swaps']} swaps")):
        each = one[key]
        waits = (millis(each["p50_us"]), millis(each["p99_us"]))
        rows.append((name, count(each["calls"]), count(each["failed"]), *waits))
    busy = millis(one["p99_while_swapping_us"])
    rows.append(("of these, while one was read", count(one["calls_while_swapping"]), "", "", busy))
    more = (
        f"{count(gate['swap']['rate'])} calls a second to the guardrail door on one core; a new file was in force "
        f"{number(one['in_force_seconds'], 2)} s after it was renamed into place, which that core read and verified "
        f"meanwhile. {load(gate['swap'])}"
    )
    return f"{head}\n\n{paragraph(told)}\n\n{table(rows)}\n\n{paragraph(more)}"


def state(gate: Found) -> str:
    head, held = "## What is remembered between calls", gate.get("state")
    if held is None:
        return f"{head}\n\nThis is {NOT_YET}."
    memory = held["memory"]
    told = [
        f"In memory a call of nobody known takes {micros(memory['ordinary']['us'])} of CPU, a campaign's "
        f"{micros(memory['campaign']['us'])}, with the record of its reply. {load(held)}"
    ]
    if "redis" not in held:
        return f"{head}\n\n{paragraph(told[0])}\n\nA shared state is {NOT_YET}. {held.get('absent', '')}"
    rows = [("shared, over Redis", "a second", "p50", "p99", "over bare PINGs")]
    for name, each in held["redis"].items():
        one, at_once = each["middle"], name.rpartition("_")[2]
        for key, said in (("observe", "state"), ("ping", "bare PING")):
            share = number(one["ratio"], 2) if key == "observe" else ""
            rows.append(
                (
                    f"{said}, {at_once} at once",
                    count(one[key]["per_second"]),
                    micros(one[key]["p50_us"]),
                    micros(one[key]["p99_us"]),
                    share,
                )
            )
    return f"{head}\n\n{paragraph(told[0])}\n\n{table(rows)}"


def micros(value: float | None) -> str:
    return NOT_YET if value is None else f"{value:,.1f} µs"


def millis(value_us: float | None) -> str:
    return NOT_YET if value_us is None else f"{value_us / 1e3:,.2f} ms"


def load(held: Found) -> str:
    return f"The load was {held['load_before']:.1f} before and {held['load_after']:.1f} after."

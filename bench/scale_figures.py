"""Tables of what bench/sketching.py, bench/assembled.py and bench/scale.py measured, and a chart of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from bench.figures import giga, seconds
from stillwatch.lab.benchmark.charts import COLOURS, Box, text_at
from stillwatch.lab.benchmark.figures import count, number, paragraph, percent, table

Found = dict[str, Any]

NOT_YET = "not measured yet"

DECODE_RATIO_MAX = {400: 3.5, 1_500: 3.0}
"""Whole run over merely decoding, by the length of a prompt: what was promised."""

GROWTH_MAX = 1.2
"""Processor time a call over that of the smallest log: what was promised."""

REPLAY_SECONDS_MAX = 600.0
REPLAY_BYTES_MAX = 8 * 2**30
REPLAY_CALLS = 176_000_000


def speed(found: Found) -> str:
    """Return the section on speed: the sketch beside its peers, the whole run beside others, and its growth."""
    parts = [
        "## Speed beside others, and as the log grows",
        sketching(found["sketching"]),
        assembled(found["assembled"]),
        growth(found["scale"]),
    ]
    return "\n\n".join(parts)


def sketching(found: Found | None) -> str:
    """Return the table of the sketch stage beside its peers."""
    head = "### One prompt's sketch, on one core"
    if not found:
        return f"{head}\n\nThis is {NOT_YET}: `python -m bench.sketching`."
    rows = [("beside", "prompts", "it", "Stillwatch", "times as fast", "lowest to highest", "wanted")]
    rows += [
        (
            each["title"], f"{each['prompt_bytes']:,} bytes", f"{each['peer_bytes_per_second'] / 1e6:.1f} MB/s",
            f"{each['own_bytes_per_second'] / 1e6:.1f} MB/s", number(each["ratio"]),
            f"{each['ratio_min']:.1f} to {each['ratio_max']:.1f}", _wanted(each),
        )
        for each in found["rows"]
    ]  # fmt: skip
    versions = ", ".join(f"{name} {held}" for name, held in found["versions"].items())
    told = (
        f"From a text to {found['permutations']} values by which near-duplicates are found: masked words, runs of five "
        f"of them, and their least hashes, in one thread ({versions}; {rounds(found['rows'])}). Stillwatch's "
        "time is that of its whole stage, which also digests the item, knows phrases and makes pseudonyms. A *plain* "
        "peer masks nothing and takes single words for shingles: less work than asked. `bench/sketching.py` says what "
        f"each does. {machine(found['machine'])} {load(each['load_max'] for each in found['rows'])}"
    )
    return "\n\n".join([head, table(rows), paragraph(told)])


def _wanted(each: Found) -> str:
    if not each["target"]:
        return ""
    return f"{each['target']}, {'met' if each['ratio'] >= each['target'] else 'missed'}"


def assembled(found: Found | None) -> str:
    """Return the table of the whole run beside what a user would assemble."""
    head = "### The whole run, beside what could be assembled"
    if not found or not found["rows"]:
        return f"{head}\n\nThis is {NOT_YET}: `python -m bench.assembled`."
    names = (
        "", "calls", "its time", "Stillwatch", "times as fast", "its recall (precision)", "at Stillwatch's rate",
        "Stillwatch's recall (precision)",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [names]
    for each in found["rows"]:
        graded, own = each["graded"], each["own"]
        rows.append(
            (
                each["title"], count(each["calls"]), seconds(each["wall_seconds"]), seconds(each["own_wall_seconds"]),
                number(each["ratio"]),
                f"{percent(graded['best_recall'])} ({percent(graded['best_precision'])})",
                percent(graded["recall_at_rate"]), f"{percent(own['recall'])} ({percent(own['precision'])})",
            )
        )  # fmt: skip
    versions = ", ".join(f"{name} {held}" for name, held in found["versions"].items())
    missed = [each["title"] for each in found["rows"] if each["ratio"] < each["target"]]
    told = (
        f"The largest log, of 25,000 calls doubled again and again, that each finishes in "
        f"{seconds(found['budget_seconds'])} on all processors ({versions}; {rounds(found['rows'])}). The log is a "
        "day cut from the replayed campaign; recall is over its accounts. An assembly is graded at the threshold that "
        "suits it best, chosen with the truth in hand, and at that which names no more honest accounts than "
        f"Stillwatch's rate allows. {_stops(found['rows'])} {_asked(found['options'])}{machine(found['machine'])} "
        f"{load(each['load_max'] for each in found['rows'])}"
    )
    said = f"**Wanted was {found['rows'][0]['target']} times as fast**, missed beside: {', '.join(missed)}."
    return "\n\n".join([head, table(rows), paragraph(told), *([paragraph(said)] if missed else [])])


def _stops(rows: Sequence[Found]) -> str:
    told = []
    for each in rows:
        at = each["climb"]["stopped_at"]
        why = {"late": "was not done in time", "badly": "failed"}.get(each["climb"]["stopped"], "")
        told.append(
            f"{each['title']}: {why} at {count(at)} calls."
            if at
            else f"{each['title']}: not tried beyond {count(each['calls'])}."
        )
    return " ".join(told)


def growth(found: Found | None) -> str:
    """Return the table of the whole run as the log grows."""
    head = "### As the log grows"
    if not found or not found["rows"]:
        return f"{head}\n\nThis is {NOT_YET}: `python -m bench.scale`."
    sizes = found["rows"]
    rows = [("", *(f"{count(each['events_count'])} calls" for each in sizes))]
    rows += [
        ("prompts, bytes", *(count(each["prompt_bytes"]) for each in sizes)),
        ("Parquet", *(giga(each["log"]["size_bytes"]) for each in sizes)),
        ("wall time", *(seconds(each["wall_seconds"]) for each in sizes)),
        (
            "lowest to highest",
            *(f"{seconds(e['wall_seconds_min'])} to {seconds(e['wall_seconds_max'])}" for e in sizes),
        ),
        ("processor time", *(seconds(each["cpu_seconds"]) for each in sizes)),
        ("calls a second", *(count(each["calls_per_second"]) for each in sizes)),
        ("÷ decoding, wall", *(number(each["decode_ratio"]) for each in sizes)),
        ("÷ decoding, processors", *(number(each["decode_cpu_ratio"]) for each in sizes)),
        ("processor time a call, growth", *(number(each, 2) for each in grown(sizes))),
        ("peak memory, all processes", *(giga(each["peak_bytes"]) for each in sizes)),
        ("disk at its fullest", *(giga(each["folder_peak_bytes"]) for each in sizes)),
        ("campaign's accounts", *(count(each["score"]["accounts_count"]) for each in sizes)),
        ("of them named", *(percent(each["score"]["recall"]) for each in sizes)),
        ("honest accounts named", *(_honest(each["score"]) for each in sizes)),
        ("rounds", *(count(each["rounds_count"]) for each in sizes)),
        ("load before, mean", *(f"{each['load_before']:.1f}, {each['load_mean']:.1f}" for each in sizes)),
    ]
    one = sizes[0]["rounds"][0]["detect"]
    told = (
        "The published campaign of 16 million exchanges and 24,000 accounts, fewer of them in smaller logs, in ten "
        "times as much honest traffic over 30 days. *Decoding* reads the same columns with the same threads and throws "
        "them away. Growth is processor time a call over that in the smallest log with prompts of that length. "
        f"Figures are medians; the peak is of all rounds, {_limit(one)}. "
        f"{_asked(one['options'])}{machine(one['machine'])} Stillwatch at `{one['code']['commit']}`."
    )
    missed = list(misses(sizes))
    return "\n\n".join(
        [head, table(rows), paragraph(told), *([paragraph("**Missed.** " + " ".join(missed))] if missed else [])]
    )


def misses(sizes: Sequence[Found]) -> Iterable[str]:
    """Yield a sentence for each promise on speed and memory that the figures do not keep."""
    for each, much in zip(sizes, grown(sizes), strict=True):
        name = f"{count(each['events_count'])} calls of {count(each['prompt_bytes'])} bytes"
        wanted = DECODE_RATIO_MAX.get(each["prompt_bytes"])
        if wanted and each["decode_ratio"] > wanted:
            yield f"{name}: {number(each['decode_ratio'])} times the decoding, at most {wanted:g} wanted."
        if much > GROWTH_MAX:
            yield f"{name}: {number(much, 2)} times the processor time a call, at most {GROWTH_MAX:g} wanted."
        if each["calls_asked"] == REPLAY_CALLS and each["wall_seconds"] > REPLAY_SECONDS_MAX:
            yield f"{name}: {seconds(each['wall_seconds'])}, at most {seconds(REPLAY_SECONDS_MAX)} wanted."
        if each["peak_bytes"] > REPLAY_BYTES_MAX:
            yield f"{name}: {giga(each['peak_bytes'])} held, at most {giga(REPLAY_BYTES_MAX)} wanted."


def grown(sizes: Sequence[Found]) -> list[float]:
    """Return each log's processor time a call over that of the smallest with prompts of the same length."""
    least: dict[int, Found] = {}
    for each in sorted(sizes, key=lambda each: int(each["events_count"])):
        least.setdefault(each["prompt_bytes"], each)
    return [
        float(each["cpu_seconds_per_million"] / least[each["prompt_bytes"]]["cpu_seconds_per_million"])
        for each in sizes
    ]


def chart(sizes: Sequence[Found]) -> str:
    """Draw processor time against calls, both on logarithmic scales: the run, and merely decoding."""
    calls = [each["events_count"] for each in sizes]
    spent = [each[name] for each in sizes for name in ("cpu_seconds", "decode_cpu_seconds")]
    left, right = math.floor(math.log10(min(calls))), math.ceil(math.log10(max(calls)))
    low, high = math.floor(math.log10(min(spent))), math.ceil(math.log10(max(spent)))
    right, high = max(right, left + 1), max(high, low + 1)
    box = Box(340, "Processor seconds against calls")
    parts = box.axis_x([((at - left) / (right - left), _power(at)) for at in range(left, right + 1)], "calls")
    parts += box.axis_y([((at - low) / (high - low), f"{10.0**at:g}") for at in range(low, high + 1)])
    lines = [(size, name) for size in dict.fromkeys(e["prompt_bytes"] for e in sizes) for name in ("run", "decoding")]
    for index, (size, name) in enumerate(lines):
        key = "cpu_seconds" if name == "run" else "decode_cpu_seconds"
        mine = sorted((each["events_count"], each[key]) for each in sizes if each["prompt_bytes"] == size)
        at = [
            (box.x((math.log10(n) - left) / (right - left)), box.y((math.log10(s) - low) / (high - low)))
            for n, s in mine
        ]
        colour = COLOURS[index % len(COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in at]
        parts.append(text_at(box.left + 10, 52 + 15 * index, f"{name}, {size:,} bytes a prompt", "start", colour))
    return box.whole(parts)


def _power(at: int) -> str:
    return f"{10**at:,}" if at < 6 else f"{10 ** (at - 6):,} M"


def rounds(rows: Sequence[Found]) -> str:
    fewest = min(each["rounds_count"] for each in rows)
    return f"medians of {fewest} rounds" if fewest > 1 else "one round"


def machine(told: Found) -> str:
    """Return what ran it, in a sentence."""
    disk = told["disk"]
    return (
        f"Measured on {told['processors']} processors ({told['processor']}), {giga(told['memory_bytes'])} of memory, "
        f"{disk['file_system']} on {disk['device']}, Python {told['python']}."
    )


def load(values: Iterable[float]) -> str:
    return f"The load of the machine was at most {max(values):.1f} meanwhile."


def _limit(one: Found) -> str:
    held = one["memory_max_bytes"]
    return f"under a limit of {giga(held)} on the address space that the kernel enforces" if held else "without a limit"


def _asked(options: Sequence[str]) -> str:
    return f"Stillwatch ran with {' '.join(f'`{each}`' for each in options)}. " if options else ""


def _honest(score: Found) -> str:
    return f"{count(score['honest_named_count'])} of {count(score['honest_accounts_count'])}"

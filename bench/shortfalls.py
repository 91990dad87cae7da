"""What falls short on the benchmark page, and what would cure it: sentences made of figures and fixed words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.figures import Found, Result, count, decode_share, giga, listed, percent

ACCOUNTS_RECALL_MIN, CALLS_RECALL_MIN, PURITY_MIN = 0.95, 0.90, 0.95
"""What the demo promises of a campaign; a figure below it gets a paragraph."""

BOUND_WANTED = 0.01
"""A class of which one account in a hundred might be accused has not been shown to be safe."""

PEAK_BYTES_MAX = 2_000_000_000
"""The ceiling that the product states for a log of any size."""

DECODE_SHARE_WANTED = 0.5
"""Above it reading would be half of the work, and little would be left to gain."""


def shortfalls(result: Result) -> list[str]:
    """Return a paragraph for each figure of one day that falls short."""
    return [*_of_campaigns(result), *of_classes(result["grade"]["classes"]), *of_effort(result)]


def _of_campaigns(result: Result) -> Iterable[str]:
    ones = result["grade"]["campaigns"]
    families = dict(zip((one["campaign"] for one in ones), result["grade"]["campaign_families"], strict=True))
    for one in ones:
        mine = families[one["campaign"]]
        said = []
        if not one["found"]:
            said.append(_merged(one, ones, families) if one["reported_as"] else _missed(mine))
        elif one["accounts_recall"] < ACCOUNTS_RECALL_MIN or one["calls_recall"] < CALLS_RECALL_MIN:
            said.append(_partly(one, mine))
        if one["found"] and one["purity"] < PURITY_MIN:
            said.append(f"Purity is {percent(one['purity'])}: its report names other accounts too.")
        if said:
            yield f"**`{one['campaign']}`.** {' '.join(said)}"


def _merged(one: Found, ones: Sequence[Found], families: dict[str, list[Found]]) -> str:
    others = [o["campaign"] for o in ones if o is not one and set(o["reported_as"]) & set(one["reported_as"])]
    said = (
        f"Not found as a campaign of its own, though {percent(one['accounts_recall'])} of its accounts are named: the "
        f"report on them is mostly about {listed(others) if others else 'other accounts'}. "
    )
    wide = [name for name in others if families[name] and _strangers(families[name][0])]
    if wide:
        strangers = count(_strangers(families[wide[0]][0]))
        return said + (
            f"The best family of {listed(wide[:1])} holds {strangers} accounts that are not its own: the prompts "
            "share wording, and a part of a family's core is enough to belong to it. A stricter core would part them."
        )
    return said + "Families that share accounts are joined; a stricter join would keep them apart."


def _strangers(family: Found) -> int:
    return int(family["accounts_count"]) - int(family["own_accounts_count"])


def _missed(families: Sequence[Found]) -> str:
    if not families:
        return (
            "Not found: no family that the run lists consists of its accounts. Its prompts share too few words for the "
            "sketch, or too few of its accounts share them; a sketch that is kinder to variation would see more."
        )
    best = families[0]
    return (
        f"Not found. {count(best['own_accounts_count'])} of its accounts were seen in a family of "
        f"{count(best['accounts_count'])}, judged *{best['outcome']}*: {best['reason']}. What would turn it, in the "
        f"run's own words: {best['would_change']}."
    )


def _partly(one: Found, families: Sequence[Found]) -> str:
    shares = (percent(one["accounts_recall"]), percent(one["calls_recall"]))
    said = f"{shares[0]} of its accounts and {shares[1]} of its calls are named. "
    if not families:
        return said + "No single family holds its accounts; a sketch that is kinder to variation would find one."
    best = max(families, key=lambda family: int(family["own_calls_count"]))
    share = best["own_calls_count"] / one["calls_count"]
    said += f"Its largest family holds {percent(best['own_accounts_count'] / one['accounts_count'])} of its accounts "
    said += f"and {percent(share)} of its calls. "
    if share < CALLS_RECALL_MIN:
        return said + (
            "In the other calls the text that varies leaves too little of the template in the sketch, or the template "
            "is another. A larger sketch would cure the first."
        )
    return said + (
        "What is not named carries too little of the family's core, or was left out account by account. A wider core "
        "would cure the first, at the price of strangers in it, and a longer log the second."
    )


def of_classes(classes: Sequence[Found]) -> Iterable[str]:
    """Yield a paragraph for each class of honest accounts that was accused or is too small to be sure of."""
    for each in classes:
        if each["named_count"]:
            share = f"{count(each['named_count'])} of {count(each['accounts_count'])}"
            yield (
                f"**{each['name']}.** {share} honest accounts were named, each a false accusation; the true share may "
                f"be {percent(each['upper_bound'], 2)}. A person who looks at the calls before acting, as the report "
                "asks, is the only cure until the core of a family is drawn more narrowly."
            )
    wide = [each for each in classes if not each["named_count"] and each["upper_bound"] > BOUND_WANTED]
    if wide:
        needed = math.ceil(math.log(0.05) / math.log(1 - BOUND_WANTED))
        names = ", ".join(f"{each['name']} ({count(each['accounts_count'])})" for each in wide)
        yield (
            f"**Classes too small to be sure of.** Nobody was named among {names}, and yet more than "
            f"{percent(BOUND_WANTED)} of such accounts might be. It takes {count(needed)} accounts without a mistake "
            "to say less. More worlds, under more seeds, would cure it."
        )
    few = [each["groups_count"] for each in classes if each["groups_count"]]
    if few:
        yield (
            f"**Few groups.** A class of look-alikes is {_range(few)} groups, and a group tends to be accused whole. "
            f"With nobody named, {percent(1 - 0.05 ** (1 / max(few)), 0)} of such groups at best, and "
            f"{percent(1 - 0.05 ** (1 / min(few)), 0)} at worst, might still be. Here too only more worlds help."
        )


def of_effort(result: Result) -> Iterable[str]:
    """Yield a paragraph where a run took more memory, or more time beside decoding, than was wanted."""
    took = result["detect"]
    if took["peak_bytes"] > PEAK_BYTES_MAX:
        worst = max(took["stage_peak_bytes"], key=lambda name: took["stage_peak_bytes"][name])
        yield (
            f"**Memory.** The peak of {giga(took['peak_bytes'])}, in the stage *{worst}*, is over the ceiling of "
            f"{giga(PEAK_BYTES_MAX)}. Holding less there at once, and more on disk, would cure it."
        )
    if decode_share(result) < DECODE_SHARE_WANTED:
        slowest = max(took["stages"], key=lambda stage: float(stage["seconds"]))
        share = slowest["seconds"] / took["wall_seconds"]
        yield (
            f"**Speed.** Decoding alone is {1 / decode_share(result):.1f} times as fast as the whole run. The stage "
            f"*{slowest['name']}* takes {percent(share, 0)} of the time: were it free, the run would be "
            f"{1 / max(1 - share, 0.01):.1f} times as fast."
        )


def _range(counts: Sequence[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(counts[0])

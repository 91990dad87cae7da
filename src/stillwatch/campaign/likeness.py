"""What is kept of a family once its calls are gone, and whether two families ask alike and never the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.kernels.sketch import mix_all
from stillwatch.signals.contract import Floats, Ints, Keys, Panel
from stillwatch.signals.shared_infrastructure import HOLDERS_MIN

TOPICS_MAX = 512
"""Discovery calls whose topics are kept, 4 kB: the share of a bit is then known to two hundredths."""

ITEMS_MAX = 512
"""Discovery items and calls kept, the smallest of each by hash, 8 kB: two in a hundred in common show ten times."""

HELD_MAX = 512
"""Rows of shared values and their holders that are kept, the rarest values first: 16 kB at most."""

LINK_OWNERS_MAX = HOLDERS_MIN
"""A value that more owners than this hold is no link between families: what shared-infrastructure calls rare in the
smallest of logs is rare in all of them."""

TEMPLATE_SHARE = 0.9
"""A topic bit in nine tenths of a family's calls is its template's, whatever is asked."""

FREE_BITS_MIN = 16
"""Topic bits that neither template sets by itself, without which two long templates leave nothing to compare."""

SAMPLE_MIN = 48
"""Topics of either family, about half of the discovery calls that the smallest tested family has."""

PERMUTATIONS = 199

EXCHANGEABLE_P_MIN = 0.02
"""Two families pass for one population above this p-value: one in fifty parts of a campaign is lost by chance (one in
five at the method's 0.2). What it costs in power is little: other subjects come out at 0.005, the least there is."""

COMMON_ITEMS_MAX = 0.01
"""Share of the smaller family's items that the other may have as well: shards of a list share none but retries, a
template's users a tenth and more of what they ask."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What one family asks about and holds, on its discovery blocks, in some kB.

    Shapes:  topics uint64[<= TOPICS_MAX], a sample of calls; items, calls uint64[<= ITEMS_MAX] ascending, the smallest
             hashes;
             value, holder uint64, degree int64: h <= HELD_MAX rows, one for each account that holds a rare value, which
             `degree` owners hold in all. `template` has the topic bits that nearly every call sets.
    """

    group_id: str
    owners_count: int
    topics: Keys
    template: int
    items: Keys
    calls: Keys
    value: Keys
    holder: Keys
    degree: Ints

    @staticmethod
    def of(panel: Panel) -> Likeness:
        """Keep what a panel's discovery blocks say; order and cut of the log change nothing."""
        calls = panel.calls
        discovery = ~calls.tested
        call = mix_all(mix_all(calls.time_us.astype(np.uint64)) ^ panel.accounts[calls.account])
        shown = discovery & (calls.topic != 0)
        sample = np.lexsort((calls.topic[shown], call[shown]))[:TOPICS_MAX]
        items = mix_all(calls.item[discovery & (calls.item != 0)])
        return Likeness(
            panel.group_id, panel.owners()[1], calls.topic[shown][sample], _template(calls.topic[shown]),
            _smallest(items), _smallest(call[discovery]), *_held(panel),
        )  # fmt: skip


def _smallest(hashes: Keys) -> Keys:
    """Return the ITEMS_MAX smallest of different hashes, ascending."""
    return np.unique(hashes)[:ITEMS_MAX].copy()


def _template(topics: Keys) -> int:
    if not len(topics):
        return 0
    often = np.flatnonzero(topic_bits(topics, 0).mean(axis=0) >= TEMPLATE_SHARE)
    return sum(1 << int(bit) for bit in often)


def rare_values(panel: Panel) -> Iterator[tuple[str, Keys, Keys, Ints]]:
    """Yield kind, value, holder and degree of the values that may link families, a row for each account with one."""
    for of in panel.shared:
        rare = of.degree[of.holder_value] <= LINK_OWNERS_MAX
        place = of.holder_value[rare]
        yield of.kind, of.value[place], panel.accounts[of.holder_account[rare]], of.degree[place]


def _held(panel: Panel) -> tuple[Keys, Keys, Ints]:
    """Return value, holder and degree of the rarest values, whole values only, as many as HELD_MAX rows take."""
    values, holders, degrees = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for name, value, holder, degree in rare_values(panel):
        kind = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
        values.append(mix_all(value ^ np.uint64(kind)))
        holders.append(holder)
        degrees.append(degree)
    value, holder, degree = np.concatenate(values), np.concatenate(holders), np.concatenate(degrees)
    order = np.lexsort((holder, value, degree))
    value, holder, degree = value[order], holder[order], degree[order]
    if len(value) > HELD_MAX:
        kept = np.flatnonzero(value[: HELD_MAX + 1] != value[HELD_MAX])
        value, holder, degree = value[kept], holder[kept], degree[kept]
    return value, holder, degree


def topic_bits(topics: Keys, template: int) -> npt.NDArray[np.float32]:
    """Return each topic's bits but those of the template: uint64[n] → float32[n, free bits]."""
    free = np.array([bit for bit in range(64) if not template >> bit & 1], dtype=np.uint64)
    return ((topics[:, None] >> free) & np.uint64(1)).astype(np.float32)


def energy_distance(ones: Floats, inside: int, bits: npt.NDArray[np.float32]) -> Floats:
    """Return the energy distance between `inside` picked calls and the others, from how often the picked set each bit.

    Under the Hamming distance between bits it is twice the sum of squared differences of their shares, so that no pair
    of calls is looked at.

    Shapes:  ones float64[r, b], a row for each pick; bits float32[n, b] → float64[r].
    Source:  Székely and Rizzo 2013, "Energy statistics: a class of statistics based on distances".
    Twin:    tests/naive/kin.py::energy_distance
    """
    apart = ones / inside - (bits.sum(axis=0, dtype=np.float64) - ones) / (len(bits) - inside)
    return np.asarray(2 * (apart**2).sum(axis=1))


def picked_sums(drawn: Floats, size: int, bits: npt.NDArray[np.float32]) -> Floats:
    """Return for each row of numbers how many calls set each bit among those with the `size` smallest numbers.

    A product of zeros and ones is exact in whatever order it is added up. Row by row it is too small to be shared out
    to threads, which wait for each other longer than it takes.

    Shapes:  drawn float64[r, n], different numbers; size < n < 2²⁴; bits float32[n, b], zeros and ones → float64[r, b].
    """
    end = np.partition(drawn, size, axis=1)[:, size, None]
    picked = (drawn < end).astype(np.float32)
    return (picked[:, None, :] @ bits)[:, 0].astype(np.float64)


def exchange_p(first: Likeness, second: Likeness, seed: int, enough: float = 1.0) -> float | None:
    """Return the permutation p-value that the calls of two families are about the same; None where nothing can be said.

    Calls are permuted, not accounts: what is dealt from one list is exchangeable call by call, and strangers, each with
    a subject of its own, must not pass for one population because their accounts differ as much within a family. Where
    a tenth of the permutations shows that p is above `enough`, the others are not made, and p is what it is at least.

    Cost:    PERMUTATIONS × (calls of both) × 64 additions: a millisecond.
    """
    first, second = sorted((first, second), key=lambda one: one.group_id)
    sizes = len(first.topics), len(second.topics)
    template = first.template | second.template
    if min(sizes) < SAMPLE_MIN or 64 - template.bit_count() < FREE_BITS_MIN:
        return None
    bits = topic_bits(np.concatenate([first.topics, second.topics]), template)
    drawn = f"exchange {seed} {first.group_id} {second.group_id}"
    rng = np.random.default_rng(int.from_bytes(hashlib.blake2b(drawn.encode(), digest_size=8).digest(), "little"))
    # Sums of zeros and ones are exact; only the quotients are rounded.
    ones = bits[: sizes[0]].sum(axis=0, dtype=np.float64)[None, :]
    far = energy_distance(ones, sizes[0], bits)[0] * (1 - 1e-12)
    as_far = 0
    for count in (PERMUTATIONS // 10, PERMUTATIONS - PERMUTATIONS // 10):
        ones = picked_sums(rng.random((count, len(bits))), sizes[0], bits)
        as_far += int((energy_distance(ones, sizes[0], bits) >= far).sum())
        if (1 + as_far) / (1 + PERMUTATIONS) > enough:
            break
    return (1 + as_far) / (1 + PERMUTATIONS)


def common_share(first: Keys, second: Keys) -> float:
    """Estimate what share of the smaller of two sets the other has as well, from the smallest hashes of both.

    Shapes:  uint64[<= ITEMS_MAX] ascending each; a set of fewer is whole.
    Source:  Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches".
    Twin:    tests/naive/kin.py::common_share
    """
    ends = [each[-1] for each in (first, second) if len(each) == ITEMS_MAX]
    here, there = (each[each <= min(ends)] if ends else each for each in (first, second))
    smaller = min(len(here), len(there))
    return len(np.intersect1d(here, there, assume_unique=True)) / smaller if smaller else 0.0


def alike(first: Likeness, second: Likeness, seed: int) -> bool:
    """Say whether two families pass for parts of one list: exchangeable subjects, and nothing asked twice.

    Calls that are in both are asked twice as well, though each family may name their items in its own way.
    """
    shares = common_share(first.items, second.items), common_share(first.calls, second.calls)
    if max(shares) > COMMON_ITEMS_MAX:
        return False
    p_value = exchange_p(first, second, seed, EXCHANGEABLE_P_MIN)
    return p_value is not None and p_value > EXCHANGEABLE_P_MIN

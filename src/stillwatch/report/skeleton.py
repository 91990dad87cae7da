"""The second look: what the prompts of a campaign have in common, and nothing that they do not.

A word is shown only where a five-word context around it was sent by at least eight accounts of the
campaign. Everything else becomes a gap that does not tell how much it hides.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Literal

import pyarrow as pa

SKELETON_ACCOUNTS_MIN = 8
"""What fewer accounts than this share may be one customer's own words."""

SHINGLE_WORDS = 5
"""A single word in common says nothing; five in a row are a context."""

CALLS_MAX = 512
"""Sampled calls of a campaign: enough to see what eight accounts share, small enough to hold."""

ACCOUNT_CALLS_MAX = 4
"""Sampled calls of one account, so that a busy account does not crowd out the others."""

TEXT_CHARS_MAX = 4096
"""Leading characters of a text that are looked at; with the other bounds it caps memory at 256 MiB."""

CAMPAIGNS_MAX = 64
"""Campaigns that get a skeleton; the others are reported with the reason."""

PASSAGES_MAX = 3
"""Skeletons of one campaign: a person reads three, and more would spell out its slot fills."""

NEW_SHARE_MIN = 0.25
"""A further skeleton must have at least this share of contexts that the earlier ones do not show."""

FILL_FADE = 16
"""A context with fewer than a sixteenth of the accounts of the most shared one is a recurring slot fill."""

WORD_CHARS_MAX = 40
"""Longer runs of letters are keys, hashes or encoded data, and are masked."""

GAP = None
"""Stands between two runs of shown words; hides any number of words, none included."""

_QUOTED = re.compile(r"```.*?```|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|「[^」\n]*」", re.DOTALL)
_WORD = re.compile(r"\x00|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\w+(?:['’\-]\w+)*")
_QUOTE_MARK = "“…”"
_NUMBER_MARK = "#"

Role = Literal["system", "user"]
Shingle = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """One skeleton: runs of shown words with `GAP` (None) between them, in the order of a typical call.

    `accounts_count` are the sampled accounts that sent at least half of its contexts.
    """

    role: Role
    pieces: tuple[str | None, ...]
    accounts_count: int


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What the sampled prompts of one campaign share. Without passages, `reason` says why."""

    passages: tuple[Passage, ...]
    calls_count: int
    accounts_count: int
    reason: str = ""


@dataclass(slots=True)
class _Sample:
    """The calls of one campaign with the smallest digests, at most a few of each account."""

    calls_max: int
    texts: dict[bytes, tuple[str, str, str]] = field(default_factory=dict)
    by_account: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    # The heap holds negated digests, largest first; entries that left `texts` are skipped when met.
    heap: list[tuple[int, bytes]] = field(default_factory=list)

    def wants(self, digest: bytes, account: str) -> bool:
        """Say whether the call could still be in the sample; most calls of a big campaign end here."""
        if digest in self.texts:
            return True
        mine = self.by_account.get(account)
        if mine and len(mine) >= ACCOUNT_CALLS_MAX and digest > max(mine):
            return False
        return len(self.texts) < self.calls_max or digest < self._largest()

    def put(self, digest: bytes, account: str, system: str, user: str) -> None:
        """Take a wanted call in, and let the largest go where a bound is passed."""
        row = (account, system, user)
        if digest in self.texts:
            # One id with two texts: the smaller text stays, whichever came first.
            self.texts[digest] = min(self.texts[digest], row)
            return
        self.texts[digest] = row
        heappush(self.heap, (-int.from_bytes(digest), digest))
        mine = self.by_account[account]
        mine.add(digest)
        if len(mine) > ACCOUNT_CALLS_MAX:
            self._drop(max(mine))
        elif len(self.texts) > self.calls_max:
            self._drop(self._largest())

    def _largest(self) -> bytes:
        while self.heap[0][1] not in self.texts:
            heappop(self.heap)
        return self.heap[0][1]

    def _drop(self, digest: bytes) -> None:
        account = self.texts.pop(digest)[0]
        mine = self.by_account[account]
        mine.discard(digest)
        if not mine:
            del self.by_account[account]


class SkeletonCollector:
    """Reads flagged calls once more and keeps a bounded sample of their texts in memory, nowhere else.

    The result depends on the set of calls alone: not on their order, their batches or repeats.
    """

    def __init__(self, calls_max: int = CALLS_MAX, campaigns_max: int = CAMPAIGNS_MAX) -> None:
        self._calls_max = calls_max
        self._campaigns_max = campaigns_max
        self._samples: dict[str, _Sample] = {}
        self._left_out: set[str] = set()

    def add(self, batch: pa.RecordBatch, campaign_ids: Sequence[str | None]) -> None:
        """Offer the calls of one batch of `event.EVENT_SCHEMA`; a call without a campaign is passed over."""
        assert len(campaign_ids) == batch.num_rows
        event_ids = batch.column("event_id")
        accounts = batch.column("account_id")
        systems = batch.column("system_prompt")
        users = batch.column("input_text")
        for row, campaign_id in enumerate(campaign_ids):
            if campaign_id is None:
                continue
            sample = self._sample(campaign_id)
            if sample is None:
                continue
            account = accounts[row].as_py()
            digest = blake2b(
                f"{event_ids[row].as_py()}\x00{account}".encode("utf-8", "surrogatepass"), digest_size=16
            ).digest()
            if sample.wants(digest, account):
                system = (systems[row].as_py() or "")[:TEXT_CHARS_MAX]
                user = (users[row].as_py() or "")[:TEXT_CHARS_MAX]
                sample.put(digest, account, system, user)

    def finish(self) -> dict[str, Skeleton]:
        """Render a skeleton for each campaign that was offered."""
        found = {campaign_id: _skeleton(sample) for campaign_id, sample in self._samples.items()}
        reason = f"only {self._campaigns_max} campaigns of a run get a skeleton (campaigns_max)"
        found |= {campaign_id: Skeleton((), 0, 0, reason) for campaign_id in self._left_out}
        return dict(sorted(found.items()))

    def _sample(self, campaign_id: str) -> _Sample | None:
        # Ids are digests, so keeping the smallest is a fair choice that no order of calls can change.
        if campaign_id in self._samples:
            return self._samples[campaign_id]
        if campaign_id in self._left_out:
            return None
        self._samples[campaign_id] = _Sample(self._calls_max)
        if len(self._samples) > self._campaigns_max:
            largest = max(self._samples)
            del self._samples[largest]
            self._left_out.add(largest)
        return self._samples.get(campaign_id)


def words(text: str) -> list[str]:
    """Split a text into case-folded words, with quotes, numbers and long literals masked."""
    masked = _QUOTED.sub(" \x00 ", text.replace("\x00", " ").casefold())
    return [_masked(word) for word in _WORD.findall(masked)]


def shingles(text_words: Sequence[str]) -> list[Shingle]:
    """List the five-word contexts in order; a shorter text is one context of its own."""
    if not text_words:
        return []
    width = min(SHINGLE_WORDS, len(text_words))
    return [tuple(text_words[i : i + width]) for i in range(len(text_words) - width + 1)]


def _masked(word: str) -> str:
    if word == "\x00":
        return _QUOTE_MARK
    if any(character.isdigit() for character in word) or len(word) > WORD_CHARS_MAX:
        return _NUMBER_MARK
    return word


def _skeleton(sample: _Sample) -> Skeleton:
    accounts = {row[0] for row in sample.texts.values()}
    counts = (len(sample.texts), len(accounts))
    if not any(system or user for _, system, user in sample.texts.values()):
        return Skeleton((), *counts, "the log carries no prompts")
    if len(accounts) < SKELETON_ACCOUNTS_MIN:
        return Skeleton((), *counts, f"fewer than {SKELETON_ACCOUNTS_MIN} accounts were sampled")
    calls = sorted((digest, *row) for digest, row in sample.texts.items())
    passages = [
        *_passages("system", [(account, words(system)) for _, account, system, _ in calls]),
        *_passages("user", [(account, words(user)) for _, account, _, user in calls]),
    ]
    if not passages:
        return Skeleton((), *counts, f"no five words in a row are shared by {SKELETON_ACCOUNTS_MIN} accounts")
    # The strongest of each role first, so that a system prompt never crowds out the user text.
    ranked = sorted(passages, key=lambda ranked_passage: ranked_passage[0])[:PASSAGES_MAX]
    ordered = sorted(ranked, key=lambda ranked_passage: (ranked_passage[1].role, ranked_passage[0]))
    return Skeleton(tuple(passage for _, passage in ordered), *counts)


def _passages(role: Role, calls: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[tuple[int, int], Passage]]:
    """Choose the calls that together show most of what is shared, each with its rank and strength."""
    contexts = [(account, shingles(text_words)) for account, text_words in calls]
    support = _support(contexts)
    shared = [{context for context in found if context in support} for _, found in contexts]
    shown: set[Shingle] = set()
    for rank in range(PASSAGES_MAX):
        gains = [sum(support[context] for context in found - shown) for found in shared]
        best = max(range(len(gains)), key=lambda i: (gains[i], -i), default=None)
        if best is None or gains[best] == 0:
            return
        if len(shared[best] - shown) < NEW_SHARE_MIN * len(shared[best]):
            return
        shown |= shared[best]
        sharing = {
            account
            for (account, _), found in zip(contexts, shared, strict=True)
            if 2 * len(found & shared[best]) >= len(shared[best])
        }
        pieces = _pieces(calls[best][1], contexts[best][1], support)
        yield (rank, -gains[best]), Passage(role, pieces, len(sharing))


def _support(contexts: Sequence[tuple[str, list[Shingle]]]) -> dict[Shingle, int]:
    """Count the accounts that sent each context, and keep what enough of them share."""
    of_account: dict[str, set[Shingle]] = defaultdict(set)
    for account, found in contexts:
        of_account[account].update(found)
    count: Counter[Shingle] = Counter()
    for distinct in of_account.values():
        count.update(distinct)
    least = max(SKELETON_ACCOUNTS_MIN, max(count.values(), default=0) / FILL_FADE)
    return {context: n for context, n in count.items() if n >= least}


def _pieces(text_words: Sequence[str], found: Sequence[Shingle], support: dict[Shingle, int]) -> tuple[str | None, ...]:
    """Write shared words in order, with a gap wherever no shared context spans two neighbours."""
    pieces: list[str | None] = []
    run: list[str] = []
    covered_to = 0
    for i, word in enumerate(text_words):
        starts_here = i < len(found) and found[i] in support
        joined = i < covered_to
        if starts_here:
            covered_to = max(covered_to, i + len(found[i]))
        if i >= covered_to or not joined:
            if run:
                pieces.append(" ".join(run))
                run = []
            # A text that opens with shared words has nothing before them to hide.
            if (pieces or i >= covered_to) and pieces[-1:] != [GAP]:
                pieces.append(GAP)
        if i < covered_to:
            run.append(word)
    if run:
        pieces.append(" ".join(run))
    return tuple(pieces)

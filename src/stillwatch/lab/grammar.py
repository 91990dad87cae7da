"""A context-free grammar that writes whole batches of texts at once, from keys alone.

A rule is a tuple of alternatives. In an alternative, `{noun}` is another rule or a word list, and
`{noun@item}` is the same drawn from the row's item key: the same item gives the same word in every
call, in every account. A number behind a point names the draw (`{noun@item.1}` twice is one word).
Without a scope a symbol is drawn from the key of the rule that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.streams import Keys, mix, name_key

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8]
Rules = Mapping[str, tuple[str, ...]]
TopicWords = Sequence[Mapping[str, tuple[str, ...]]]

SCOPES = ("call", "item", "account", "template")
"""call: fresh in each call; item: the unit of work; account: the caller; template: the prompt's author."""

INHERIT = len(SCOPES)
ACCOUNT = SCOPES.index("account")

DEPTH_MAX = 12
"""Nesting of rules; a deeper grammar is one that calls itself."""

_SYMBOL = re.compile(r"\{([a-z][a-z0-9_]*)(?:@([a-z]+))?(?:\.(\d+))?\}")


@dataclass(frozen=True, slots=True)
class Rows:
    """The texts to write: a root symbol, topics and one key for each scope, row by row.

    What is drawn from the account's key is about `account_topic`, all else about `topic`.
    Shapes:  root, topic, account_topic int64[n]; keys uint64[len(SCOPES), n].
    """

    root: Ints
    topic: Ints
    account_topic: Ints
    keys: Keys


class _Level:
    """The symbols at one depth of all the texts, in order; which of them are rules, and their children."""

    __slots__ = ("counts", "first", "key", "row", "rule", "size", "symbol", "topic")

    def __init__(self, row: Shorts, symbol: Shorts, topic: Bytes, key: Keys) -> None:
        self.row, self.symbol, self.topic, self.key = row, symbol, topic, key
        self.size = np.ones(len(symbol), np.int64)
        self.rule = self.first = self.counts = np.zeros(0, np.int64)


def _measure_starts(levels: list[_Level]) -> list[Ints]:
    """Return where the pieces of each symbol begin, and set each symbol's size in pieces."""
    for above, below in zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True):
        above.size[above.rule] = np.add.reduceat(below.size, above.first)
    starts = [np.cumsum(levels[0].size) - levels[0].size]
    for above, below in pairwise(levels):
        run = np.cumsum(below.size) - below.size
        starts.append(run + np.repeat(starts[-1][above.rule] - run[above.first], above.counts))
    return starts


class Grammar:
    """A compiled grammar. `symbol(name)` is what a row gives as its root; -1 stands for no text."""

    def __init__(self, rules: Rules, words: Mapping[str, tuple[str, ...]], topics: TopicWords) -> None:
        topical = sorted({kind for topic in topics for kind in topic})
        tables = [*sorted(words), *topical]
        self._symbols = {name: index for index, name in enumerate([*sorted(rules), *tables])}
        assert len(self._symbols) == len(rules) + len(tables), "a rule and a word list share a name"
        # By name, not by number: a further word file leaves the texts of the others as they are.
        self._root_salts = np.array([name_key(0, "root", name) for name in self._symbols], np.uint64)
        self._rules_count = len(rules)
        self._literals_from = len(self._symbols)
        self._pieces: list[str] = []
        self._piece_ids: dict[str, int] = {}
        self._compile_rules(rules)
        self._compile_tables(words, topical, topics)
        self._lexicon = pa.array(self._pieces, pa.string())
        self._check_depth()

    def symbol(self, name: str) -> int:
        """Return the root symbol of a rule or word list."""
        return self._symbols[name]

    def write(self, rows: Rows) -> pa.StringArray:
        """Write one text for each row; null where the root is -1.

        Cost:    about 50 ns for each piece of text (a word or a fixed phrase), on one core.
        """
        written = rows.root >= 0
        row = np.flatnonzero(written).astype(np.int32)
        symbol = rows.root[row].astype(np.int32)
        key = mix(rows.keys[0, row], self._root_salts[symbol])
        levels = [_Level(row, symbol, rows.topic[row].astype(np.int8), key)]
        while self._expand(rows, levels):
            pass
        starts = _measure_starts(levels)
        pieces = np.empty(int(levels[0].size.sum()), np.int64)
        for level, start in zip(levels, starts, strict=True):
            leaf = np.flatnonzero(level.symbol >= self._rules_count)
            words = self._choose_words(level.symbol[leaf], level.topic[leaf], level.key[leaf])
            pieces[start[leaf]] = words
        lengths = np.zeros(len(rows.root) + 1, np.int32)
        lengths[1:][row] = levels[0].size
        lists = pa.ListArray.from_arrays(
            pa.array(np.cumsum(lengths, dtype=np.int32)), self._lexicon.take(pa.array(pieces))
        )
        texts = pc.binary_join(lists, "")
        if written.all():
            return texts
        return pc.if_else(pa.array(written), texts, pa.scalar(None, pa.string()))

    def _expand(self, rows: Rows, levels: list[_Level]) -> bool:
        """Add the children of the last level's rules as a further level; say whether there were any."""
        level = levels[-1]
        rule = np.flatnonzero(level.symbol < self._rules_count)
        if len(rule) == 0:
            return False
        which, key = level.symbol[rule], level.key[rule]
        chosen = self._alternative_from[which] + (key % self._alternative_count[which]).astype(np.int64)
        counts = self._child_count[chosen]
        ends = np.cumsum(counts)
        child = np.arange(int(ends[-1])) + np.repeat(self._child_from[chosen] - ends + counts, counts)
        row = np.repeat(level.row[rule], counts)
        topic = np.repeat(level.topic[rule], counts)
        base = np.repeat(key, counts)
        scope = self._child_scope[child]
        own = np.flatnonzero(scope < INHERIT)
        base[own] = rows.keys[scope[own], row[own]]
        personal = np.flatnonzero(scope == ACCOUNT)
        topic[personal] = rows.account_topic[row[personal]]
        level.rule, level.first, level.counts = rule, ends - counts, counts
        levels.append(_Level(row, self._child_symbol[child], topic, mix(base, self._child_salt[child])))
        return True

    def _choose_words(self, symbol: Shorts, topic: Bytes, key: Keys) -> Ints:
        """Turn word lists into words; the front of a list is chosen more often, as in real text."""
        pieces = symbol.astype(np.int64) - self._literals_from
        listed = np.flatnonzero(pieces < 0)
        table = symbol[listed] - self._rules_count
        about = topic[listed]
        chance = (key[listed] >> np.uint64(11)) * 2.0**-53
        skewed = chance * (0.35 + 0.65 * chance)
        pieces[listed] = self._table_from[table, about] + (skewed * self._table_size[table, about]).astype(np.int64)
        return pieces

    def _compile_rules(self, rules: Rules) -> None:
        starts: list[int] = []
        counts: list[int] = []
        child_starts: list[int] = []
        child_counts: list[int] = []
        symbols: list[int] = []
        scopes: list[int] = []
        salts: list[int] = []
        for name in sorted(rules):
            starts.append(len(child_starts))
            counts.append(len(rules[name]))
            for text in rules[name]:
                child_starts.append(len(symbols))
                for position, (child, scope, salt) in enumerate(self._parts(text)):
                    symbols.append(child)
                    scopes.append(scope)
                    salts.append(salt if salt >= 0 else name_key(0, name, text, position))
                child_counts.append(len(symbols) - child_starts[-1])
        self._alternative_from = np.array(starts, np.int64)
        self._alternative_count = np.array(counts, np.uint64)
        self._child_from = np.array(child_starts, np.int64)
        self._child_count = np.array(child_counts, np.int64)
        self._child_symbol = np.array(symbols, np.int32)
        self._child_scope = np.array(scopes, np.int64)
        self._child_salt = np.array(salts, np.uint64)

    def _parts(self, text: str) -> list[tuple[int, int, int]]:
        """Split one alternative into (symbol, scope, salt); salt -1 asks for one of its own."""
        parts: list[tuple[int, int, int]] = []
        end = 0
        for match in _SYMBOL.finditer(text):
            if match.start() > end:
                parts.append((self._literal(text[end : match.start()]), INHERIT, 0))
            name, scope, label = match.groups()
            assert name in self._symbols, f"no rule or word list is called {name}"
            salt = name_key(0, name, label) if label else -1
            parts.append((self._symbols[name], SCOPES.index(scope) if scope else INHERIT, salt))
            end = match.end()
        if end < len(text) or not parts:
            parts.append((self._literal(text[end:]), INHERIT, 0))
        return parts

    def _literal(self, text: str) -> int:
        if text not in self._piece_ids:
            self._piece_ids[text] = len(self._pieces)
            self._pieces.append(text)
        return self._literals_from + self._piece_ids[text]

    def _compile_tables(self, words: Mapping[str, tuple[str, ...]], topical: list[str], topics: TopicWords) -> None:
        shape = (len(words) + len(topical), max(len(topics), 1))
        self._table_from = np.zeros(shape, np.int64)
        self._table_size = np.zeros(shape, np.int64)
        for table, name in enumerate(sorted(words)):
            self._table_from[table], self._table_size[table] = len(self._pieces), len(words[name])
            self._pieces.extend(words[name])
        for table, kind in enumerate(topical, start=len(words)):
            for column, topic in enumerate(topics):
                self._table_from[table, column] = len(self._pieces)
                self._table_size[table, column] = len(topic[kind])
                self._pieces.extend(topic[kind])

    def _check_depth(self) -> None:
        """Assert that no rule reaches itself; `write` would never end."""
        depth = np.zeros(self._literals_from, np.int64)
        for _ in range(DEPTH_MAX):
            before = depth.copy()
            for rule in range(self._rules_count):
                last = self._alternative_from[rule] + int(self._alternative_count[rule]) - 1
                start = self._child_from[self._alternative_from[rule]]
                children = self._child_symbol[start : self._child_from[last] + self._child_count[last]]
                named = children[children < self._literals_from]
                depth[rule] = 1 + (int(depth[named].max()) if len(named) else 0)
            if (before == depth).all():
                return
        raise AssertionError("the grammar calls itself, or nests deeper than DEPTH_MAX")

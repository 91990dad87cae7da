"""Who belongs where among the rejected families: a call to one of them, an account to the one most of its calls are in.

Prompts of several campaigns share wording, and what they share is a family too. Its calls carry more of their own
campaign's core than of the common one, so each call goes to the family whose core it carries most of, and a family that
is left with next to no account of its own is no campaign but a part of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import Ints, Keys

OWN_ACCOUNTS_MIN = 8
"""Accounts that must have most of their calls in a family for it to stand by itself: what a skeleton needs as well."""


@dataclass(frozen=True, slots=True)
class Claims:
    """How many calls of each account belong to each rejected family.

    Shapes:  n rows, ordered by family, then account.
    """

    family: Ints
    account: Keys
    calls: Ints

    @staticmethod
    def of(family: Ints, account: Keys) -> Claims:
        """Count claims from one entry a call."""
        (families, accounts), calls = distinct(family.astype(np.int64), account)
        return Claims(np.asarray(families, dtype=np.int64), np.asarray(accounts, dtype=np.uint64), calls)

    def main(self) -> Ints:
        """Return for each row the family that most of its account's claimed calls are in: int64[n]."""
        order = np.lexsort((self.family, -self.calls, self.account))
        first = np.concatenate([[True], self.account[order][1:] != self.account[order][:-1]])[: len(order)]
        main = np.empty(len(order), dtype=np.int64)
        main[order] = self.family[order][first][np.cumsum(first) - 1]
        return main

    def homes(self, families: Sequence[int]) -> dict[int, int]:
        """Return for each family the one it is a part of: itself where enough accounts have most of their calls in it.

        A family without enough accounts of its own is a part of the standing family that most of its accounts are in,
        and stands after all where they are in none.
        """
        main = self.main()
        own = {family: int(((self.family == family) & (main == family)).sum()) for family in families}
        standing = [family for family in families if own[family] >= OWN_ACCOUNTS_MIN]
        homes = {}
        for family in families:
            elsewhere = main[(self.family == family) & np.isin(main, standing)]
            found, accounts = np.unique(elsewhere, return_counts=True)
            homes[family] = family if family in standing or not len(found) else int(found[accounts.argmax()])
        return homes

    def drafts(self, homes: Mapping[int, int], draft_of: Mapping[int, int]) -> Ints:
        """Return the draft that each row's calls belong to, given that of each family: int64[n].

        The calls of a family that is a part of another follow their account, where it has a family of its own.
        """
        main = self.main()
        drafts = np.empty(len(self.family), dtype=np.int64)
        for family, home in homes.items():
            mine = np.flatnonzero(self.family == family)
            drafts[mine] = draft_of[home]
            if home != family:
                drafts[mine] = [draft_of[homes[int(own)]] for own in main[mine]]
        return drafts

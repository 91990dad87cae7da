"""A white-label application: one product's prompt under many names, with many keys and thousands of end users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch, habits
from stillwatch.lab.changes import Altered, fit
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind, Records


@dataclass(frozen=True, slots=True)
class WhiteLabel:
    """An account for each shop that uses the product; with `own_keys` the shop's own, else all are the vendor's."""

    name: str = "white-label"
    accounts: int = 40
    calls_each: float = 60.0
    own_keys: bool = False

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the shops' accounts; the vendor's servers make all their calls."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        owner = roster[["org", "payment", "domain"]].copy()
        roster = dispatch.one_deployment(rng, roster)
        if self.own_keys:
            for column in ("org", "payment", "domain"):
                roster[column] = owner[column]
        roster["credentials"] = 3 if self.own_keys else 60
        kinds = (
            Kind(
                first=("support_message", "support_message", "free"), follow=("follow_up", "support_message"),
                profiles=habits.API[3:4], system=("white_label_system",), turns=2.0, end_users=500,
            ),
        )  # fmt: skip
        rhythm = habits.habits(rng, self.accounts, 20.0, 1.5, self.calls, top=0.1)
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, np.zeros(self.accounts, np.int64))
        crowd = Crowd(self.name, "white-label", roster, rhythm, kinds, ground)
        crowd.author[:] = name_key(ground.seed, self.name, "product")

        def own_users(calls: Records) -> Records:
            calls["end_user"] = mix(calls["end_user"], roster["key"][calls["account"]])
            return calls

        return Altered(crowd, (own_users,))

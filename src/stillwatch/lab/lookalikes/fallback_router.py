"""A fallback router: what one account is refused for want of room goes to another path, or model, minutes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.lab import dispatch
from stillwatch.lab.changes import Altered
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix, unit
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, Records, plan_calls, settle_plan, topic_of
from stillwatch.lab.words.language import language

EPISODE_US = 600_000_000
"""A limit lasts ten minutes, and holds for all calls of the account."""

PROFILES = (
    Profile(temperature=0.2, max_tokens=1_024, output=(90.0, 1.0)),
    Profile(model="aurora-3", temperature=0.2, max_tokens=1_024, output=(90.0, 1.0)),
)


@dataclass(frozen=True, slots=True)
class FallbackRouter:
    """Two accounts for each customer, the direct one and the one in reserve; `limited` is a share of the day."""

    name: str = "fallback-router"
    accounts: int = 40
    calls_each: float = 60.0
    limited: float = 0.12

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return customers with private prompts of their own, half of whom the log knows as one owner."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        direct = np.arange(0, self.accounts, 2)
        reserve = np.minimum(direct + 1, self.accounts - 1)
        known = rng.random(len(direct)) < 0.5
        for column in ("org", "domain", "payment"):
            roster[column][reserve[known]] = roster[column][direct[known]]
        for column in ("agent", "tls", "address", "span"):
            roster[column][reserve] = roster[column][direct]
        roster["other_address"], roster["path"][direct] = 0, 0
        roster["path"][reserve] = np.where(reserve == direct, 0, rng.choice((3, 4, 5), len(reserve)))

        total = max(int(self.calls / (1.0 + self.limited)), 1)
        weight = rng.lognormal(0.0, 1.0, len(direct))
        customer = rng.choice(len(direct), total, p=weight / weight.sum())
        calls = settle_plan(self._asked(rng, ground, customer, direct), roster, rng)
        limits = _Limits(roster["key"], roster["path"] == 0, self.limited)
        again = calls[limits.hit(calls)].copy()
        again["account"] = reserve[again["account"] // 2]
        again["time"] += (rng.lognormal(4.0, 0.9, len(again)) * 1e6).astype(np.int64)
        again["credential"] = mix(roster["key"][again["account"]], 1)
        other = (mix(roster["key"][again["account"]], 3) & np.uint64(1)).astype(bool)
        again["profile"] = np.where(other, ground.profile(PROFILES[1]), again["profile"])
        plan = np.concatenate([calls, again])
        plan = plan[np.argsort(plan["time"], kind="stable")]
        return Altered(Planned(self.name, "fallback-router", roster, plan, ground), (limits,))

    def _asked(
        self, rng: np.random.Generator, ground: Ground, customer: npt.NDArray[np.int64], direct: npt.NDArray[np.int64]
    ) -> Records:
        """Return what the customers send first, all of it to their direct accounts."""
        calls = plan_calls(len(customer), ground, "private_prompt", PROFILES[0], 0)
        calls["account"] = direct[customer]
        calls["author"] = rng.integers(1, 1 << 63, len(direct), np.uint64)[customer]
        calls["topic"] = topic_of(calls["author"])
        calls["item"] = rng.integers(1, 1 << 63, len(customer), np.uint64)
        calls["system"] = np.where(customer % 3 == 0, language().symbol("quickstart_4"), -1)
        calls["time"] = rng.permutation(
            dispatch.times(rng, len(customer), ground, dispatch.every_day(ground, (6.0, 20.0, 0.8), (0.0, 24.0, 0.2)))
        )
        return calls


@dataclass(frozen=True, slots=True)
class _Limits:
    """The calls of direct accounts that fall into an episode end with 429, sent again or not."""

    key: npt.NDArray[np.uint64]
    direct: npt.NDArray[np.bool_]
    share: float

    def hit(self, calls: Records) -> npt.NDArray[np.bool_]:
        account = calls["account"]
        episode = (calls["time"] // EPISODE_US).astype(np.uint64)
        struck: npt.NDArray[np.bool_] = self.direct[account] & (unit(mix(self.key[account], episode)) < self.share)
        return struck

    def __call__(self, calls: Records) -> Records:
        calls["status"][self.hit(calls)] = 429
        return calls

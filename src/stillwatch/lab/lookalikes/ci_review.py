"""Code review in continuous integration: one public prompt, many owners, a new address for each run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits, network
from stillwatch.lab.changes import Altered, fit
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind, Records


@dataclass(frozen=True, slots=True)
class CiReview:
    """`runners` addresses in `blocks` blocks of a cloud are dealt out again for each run."""

    name: str = "ci-review"
    accounts: int = 400
    calls_each: float = 8.0
    runners: int = 20_000
    blocks: int = 60

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return repositories of strangers that use the same action."""
        rng = ground.rng(self.name)
        style = replace(BUSINESS, company=0.7, access={"cloud": 1.0}, clients={"node": 1.0}, paths={0: 1.0}, new=0.12)
        roster = enrol(rng, self.accounts, style, ground.start_us)
        roster["agent"], roster["tls"] = roster["agent"][0], roster["tls"][0]
        roster["other_address"], roster["credentials"] = 0, 1
        kinds = (
            Kind(
                first=("ci_review",), follow=("ci_review",), system=("ci_system",), steps=1.0, turns=1.0,
                profiles=(replace(habits.API[0], model="aurora-4", temperature=0.2, max_tokens=2_048,
                                  response_format="json_object", output=(150.0, 1.0)),),
            ),
        )  # fmt: skip
        rhythm = habits.habits(rng, self.accounts, self.calls_each / 2, 1.3, self.calls, top=0.05)
        rhythm["from_hour"] = rng.normal(8.0, 3.0, self.accounts) % 24.0
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, np.zeros(self.accounts, np.int64))
        runner = network.blocks(rng, self.runners, self.blocks, "cloud").address

        def ephemeral(calls: Records) -> Records:
            calls["address"] = runner[mix(calls["session"], 61) % np.uint64(len(runner))]
            return calls

        return Altered(Crowd(self.name, "ci-review", roster, rhythm, kinds, ground), (ephemeral,))

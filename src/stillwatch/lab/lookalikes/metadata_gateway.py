"""A gateway that strips metadata: one owner's programs, end users and conversations vanish within one day."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stillwatch.lab import dispatch, habits, network
from stillwatch.lab.changes import Altered, fit
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.traffic import Actor, Crowd, Ground, Records


@dataclass(frozen=True, slots=True)
class MetadataGateway:
    """All accounts of one owner go behind the gateway `at_hour`."""

    name: str = "metadata-gateway"
    accounts: int = 60
    calls_each: float = 40.0
    at_hour: float = 13.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the departments of the owner, each with a product or a template of its own."""
        rng = ground.rng(self.name)
        roster = dispatch.one_organisation(rng, enrol(rng, self.accounts, BUSINESS, ground.start_us))
        shallow = habits.API
        kinds = (
            replace(habits.PRODUCT_CHAT, profiles=shallow),
            replace(habits.OWN_TEMPLATE, profiles=shallow),
            replace(habits.QUICKSTART, profiles=shallow),
        )
        kind = rng.choice(3, self.accounts, p=(0.5, 0.3, 0.2))
        rhythm = habits.habits(rng, self.accounts, 20.0, 1.4, self.calls, top=0.1)
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, kind)
        crowd = Crowd(self.name, "metadata-gateway", roster, rhythm, kinds, ground)
        crowd.assign(kind, rng)
        begin, exit_address = ground.at(self.at_hour), network.one_address(rng, 1).address[0]

        def stripped(calls: Records) -> Records:
            behind = calls["time"] >= begin
            calls["agent"][behind], calls["address"][behind] = -1, exit_address
            for column in ("end_user", "session", "credential"):
                calls[column][behind] = 0
            return calls

        return Altered(crowd, (stripped,))

"""What a run keeps of its families to find kin among them, and the second look at the calls of those that are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from stillwatch.campaign.conclusion import Tested
from stillwatch.campaign.kin import kindred, links
from stillwatch.campaign.likeness import Likeness, alike
from stillwatch.campaign.unions import Union, unite
from stillwatch.engines.ahead import one_ahead
from stillwatch.engines.family_calls import FamilyCalls
from stillwatch.signals.contract import Panel


@dataclass(slots=True)
class Kinship:
    """The likenesses of a run's families, some kB each, in the order in which they are tested."""

    calls: FamilyCalls
    owners_count: int
    seed: int
    filled: frozenset[str]
    saturated: dict[str, int] = field(default_factory=dict)
    likenesses: list[Likeness] = field(default_factory=list)

    def keep(self, panel: Panel) -> None:
        """Keep what is needed of a family while its calls are in memory."""
        self.likenesses.append(Likeness.of(panel))

    def unite(self, tested: Sequence[Tested], leads: Sequence[int]) -> list[Union]:
        """Return the kin among the families `leads`, places in `tested`, each group tested on all its calls."""
        pools = [tested[at][1] for at in leads]
        likenesses = [self.likenesses[at] for at in leads]
        linked, crowded = links(likenesses, pools, self.owners_count)
        pair_alike = partial(_alike, likenesses, self.seed)
        groups, many = kindred(pools, linked, pair_alike)
        self.saturated.update(crowded | many)
        place_of = {tested[at][0]: at for at in leads}
        kin = ([tested[leads[at]][0] for at in group] for group in groups)
        return [
            unite([place_of[number] for number in numbers], panels, self.filled)
            for numbers, panels in one_ahead(self.calls.together(each) for each in kin)
            if len(panels) > 1
        ]


def _alike(likenesses: Sequence[Likeness], seed: int, first: int, second: int) -> bool:
    return alike(likenesses[first], likenesses[second], seed)

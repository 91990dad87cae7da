"""Shared infrastructure: rare payment, address or device values that a family's accounts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.finding import Evidence, Family, Link, Skipped
from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, SharedValues, log_e_from_log_p
from stillwatch.signals.counts import at_odds, log_binomial_tail, log_hypergeometric_tail

IDENT = "shared-infrastructure"
FAMILY: Family = "infrastructure"
NEEDS = frozenset({"client_ip", "tls_fingerprint", "payment_digest", "signup_ip"})

OWNERSHIP = frozenset({"credential", "payment", "phone", "e-mail"})
"""Kinds of value that somebody holds: who shares one pays, answers or signs in as the other. All other kinds are places
where strangers meet: a venue, a campus, an employer's mail, a relay, a common program."""

HOLDERS_SHARE_MAX = 0.002
HOLDERS_MIN, HOLDERS_MAX = 32, 256
"""A value that more than a five-hundredth of all accounts hold (32 at least, 256 at most: an office) is a hub: a NAT, a
gateway, a popular client. Its weight is 0."""

PLACE_ODDS_MAX = 8.0
"""How many times as common an honest family may be among those who meet at a place as elsewhere: a template and a
network are both one sort of customers'. Developers are a sixth of the simulated accounts (an assumption)."""

CIRCLES_MAX = 3
"""Circles of people who meet at places of their own that an honest family may hold: a class, an event, an office."""

EXITS_MAX = 16
"""Places of one circle at which nobody else is: the exits of a venue or a campus, for sign-ups and for calls. A circle
with more of them brings its own, such as a list of rented proxies (an assumption; simulated campuses have six)."""

SURE_P = 0.01
"""A value links its holders where chance would give one such value, of all looked at, in a hundredth of families."""

MATCH_RATE = 0.5
"""m of the match weight log2(m / u): how often two accounts of one operator share such a value. Fixed, because
estimating it blind finds nothing (method S4)."""

LINKS_MAX = 12
"""Links shown of a campaign: a page a person reads."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether the family's owners share rare identifiers more than owners drawn at random would.

    What accounts of one organisation share among themselves is that organisation's own and counts once. What people own
    ties them; where they meet ties nobody, and speaks only where more circles meet than honest families hold. A circle
    with more exits of its own than a venue has owns them.

    Sees:       virtual cards and phones used again; rented proxies; many small address blocks.
    Misled by:  a reseller's or relay's cards: control without extraction.
    Evaded by:  a card, an address and a device for each account.
    Source:     method S4; Fellegi and Sunter 1969; Tumminello and others 2011 for the hypergeometric test; Benjamini
                and Heller 2008 for setting the first few aside.
    """
    owner, owners = panel.owners()
    if owners < 2:
        return Skipped(IDENT, "one owner shares nothing with itself")
    population = max(panel.population.owners_count, owners)
    tests = [found for values in panel.shared for found in _tests(values, owner, owners, population)]
    tests.sort(key=lambda test: (test.log_p, test.values.kind, test.index))
    sure = np.log(SURE_P / max(1, len(tests)))
    linking = [test for test in tests if test.log_p < sure]
    circles = _circles([test for test in linking if not test.owned], len(owner))
    rented = {test.name for circle in circles for test in circle.exits[EXITS_MAX:]}
    owned = [test for test in tests if test.owned or test.name in rented]
    linked = _holders([test for test in owned if test.log_p < sure], len(owner))
    shown = linking if len(circles) > CIRCLES_MAX else [test for test in owned if test.log_p < sure]
    first = min(_least(owned), _least(circles[CIRCLES_MAX:]))
    without = np.minimum(_owned_without(owned, owner, owners, population), _circles_without(circles, len(owner)))
    looks = np.log(max(1, len(tests)))
    log_e, log_e_without = log_e_from_log_p(min(0.0, first + looks)), _log_es(without + looks)
    if not shown:
        against = Evidence(IDENT, _nothing(circles, owners), 0.0, None, FAMILY)
        return Mark(IDENT, FAMILY, log_e, (), (against,), log_e_without, linked=linked, tied=linked)
    links = sorted(
        (_link(test, population) for test in shown), key=lambda link: (-link.weight_bits, link.kind, link.pseudonym)
    )
    together = _holders(shown, len(owner))
    kinds = ", ".join(sorted({link.kind for link in links}))
    said = Evidence(
        IDENT,
        f"{int(together.sum())} of {len(owner)} accounts hang together by {len(links)} rare shared values ({kinds})",
        float(together.mean()),
        float(np.exp(min(0.0, first + looks))),
        FAMILY,
    )
    shown_links = tuple(links[:LINKS_MAX])
    return Mark(IDENT, FAMILY, log_e, (said,), (), log_e_without, links=shown_links, linked=linked, tied=linked)


@dataclass(frozen=True, slots=True)
class _Test:
    """One shared value: how many owners of the family hold it, and how unlikely that is."""

    log_p: float
    values: SharedValues
    index: int
    held: int

    @property
    def name(self) -> tuple[str, int]:
        return self.values.kind, self.index

    @property
    def owned(self) -> bool:
        return self.values.kind in OWNERSHIP

    def holders(self) -> Ints:
        return np.asarray(self.values.holder_account[self.values.holder_value == self.index])

    def degree(self) -> int:
        return int(self.values.degree[self.index])


@dataclass(frozen=True, slots=True)
class _Circle:
    """Accounts that meet at places: the log p of the rarest, who is in it, and where nobody else is, rarest first."""

    log_p: float
    accounts: NDArray[np.bool_]
    exits: tuple[_Test, ...]


def _tests(values: SharedValues, owner: Ints, owners: int, population: int) -> list[_Test]:
    (value, _), _ = distinct(values.holder_value, owner[values.holder_account])
    held = np.bincount(value, minlength=len(values.value))
    hub = min(HOLDERS_MAX, max(HOLDERS_MIN, int(HOLDERS_SHARE_MAX * population)))
    tested = np.flatnonzero((held >= 1) & (values.degree <= hub))
    log_ps = _log_tails(values.kind, held[tested], values.degree[tested], owners, population)
    return [_Test(log_p, values, int(v), int(held[v])) for v, log_p in zip(tested, log_ps.tolist(), strict=True)]


def _log_tails(kind: str, held: Ints, degree: Ints, owners: int, population: int) -> Floats:
    tails = _owned_tails if kind in OWNERSHIP else _place_tails
    return tails(held, degree, owners, population)


def _owned_tails(held: Ints, degree: Ints, owners: int, population: int) -> Floats:
    """Return log P(so many holders | one at least) of each value.

    A value is looked at because an owner of the family holds it: that one is given, and says nothing. Values with no
    further holder have been looked at as well, and count among the looks.
    """
    log_ps = np.zeros(len(held))
    more = np.flatnonzero(held >= 2)
    if len(more):
        pairs, which = np.unique(np.stack([held[more], degree[more]]), axis=1, return_inverse=True)
        tails = np.array(
            [
                [log_hypergeometric_tail(given, population, values, owners) for given in (further - 1, 0)]
                for further, values in pairs.T.tolist()
            ]
        )
        log_ps[more] = np.minimum(0.0, tails[:, 0] - tails[:, 1])[which.ravel()]
    return log_ps


def _place_tails(held: Ints, degree: Ints, owners: int, population: int) -> Floats:
    """Return log P(so many of the others at a place are the family's), which may be PLACE_ODDS_MAX times as common."""
    chance = at_odds((owners - 1) / max(1, population - 1), PLACE_ODDS_MAX)
    return log_binomial_tail(held - 2, degree - 1, chance)


def _circles(places: Sequence[_Test], accounts_count: int) -> list[_Circle]:
    """Return the circles that surprising places make, the rarest first: places with an account in common are one."""
    if not places:
        return []
    account = np.concatenate([test.holders() for test in places])
    place = np.repeat(np.arange(len(places)), [len(test.holders()) for test in places])
    size = accounts_count + len(places)
    meets = sparse.coo_array((np.ones(len(account)), (account, accounts_count + place)), shape=(size, size))
    circle = csgraph.connected_components(meets, directed=False)[1]
    of_place, of_account = circle[accounts_count:].tolist(), circle[:accounts_count]
    found: dict[int, list[_Test]] = {}
    for label, test in zip(of_place, places, strict=True):
        found.setdefault(label, []).append(test)
    return [
        _Circle(met[0].log_p, of_account == label, tuple(test for test in met if test.held == test.degree()))
        for label, met in found.items()
    ]


def _holders(tests: Sequence[_Test], accounts_count: int) -> NDArray[np.bool_]:
    found = np.zeros(accounts_count, dtype=bool)
    for test in tests:
        found[test.holders()] = True
    return found


def _least(rarest_first: Sequence[_Test | _Circle]) -> float:
    """Return the log p of the first, which is the least; 0 where there is none."""
    return rarest_first[0].log_p if rarest_first else 0.0


def _owned_without(owned: Sequence[_Test], owner: Ints, owners: int, population: int) -> Floats:
    """Return log p of the rarest value that is owned with each account left out: its value has a holder less."""
    without = np.full(len(owner), _least(owned))
    if owned:
        first = owned[0]
        fewer = _log_tails(
            first.values.kind, np.array([first.held - 1]), np.array([first.degree()]), owners - 1, population
        )
        without[first.holders()] = min(float(fewer[0]), _least(owned[1:]))
    return without


def _circles_without(circles: Sequence[_Circle], accounts_count: int) -> Floats:
    """Return log p of the places with each account left out: without one of a circle's, the circle may be none."""
    without = np.full(accounts_count, _least(circles[CIRCLES_MAX:]))
    for circle in circles[: CIRCLES_MAX + 1]:
        without[circle.accounts] = _least(circles[CIRCLES_MAX + 1 :])
    return without


def _log_es(log_ps: Floats) -> Floats:
    """Return log e of many log p, most of which are equal."""
    found, which = np.unique(np.minimum(0.0, log_ps), return_inverse=True)
    return np.array([log_e_from_log_p(log_p) for log_p in found.tolist()])[which]


def _nothing(circles: Sequence[_Circle], owners: int) -> str:
    if circles:
        return (
            f"no card, phone or credential links the {owners} owners; they meet at places of {len(circles)} circle(s)"
        )
    return f"no rare address, client or account value links the {owners} owners"


def _link(test: _Test, population: int) -> Link:
    weight = float(np.log2(MATCH_RATE / (test.degree() / population) ** 2))
    return Link(
        test.values.kind, f"{int(test.values.value[test.index]):016x}", test.held, test.degree(), round(weight, 1)
    )

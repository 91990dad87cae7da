"""Shared infrastructure: rare payment, address or device values that a family's accounts have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from stillwatch.finding import Evidence, Family, Link, Skipped
from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, SharedValues, log_e_from_log_p

IDENT = "shared-infrastructure"
FAMILY: Family = "infrastructure"
NEEDS = frozenset({"client_ip", "tls_fingerprint", "payment_digest", "signup_ip"})

HOLDERS_SHARE_MAX = 0.002
HOLDERS_MIN, HOLDERS_MAX = 32, 256
"""A value that more than a five-hundredth of all accounts hold (32 at least, 256 at most: an office) is a hub: a NAT, a
gateway, a popular client. Its weight is 0."""

MATCH_RATE = 0.5
"""m of the match weight log2(m / u): how often two accounts of one operator share such a value. Fixed, because
estimating it blind finds nothing (method S4)."""

LINKS_MAX = 12
"""Links shown of a campaign: a page a person reads."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether the family's owners share rare identifiers more than owners drawn at random would.

    What accounts of one organisation share among themselves is that organisation's own and counts once.

    Sees:       virtual cards, address blocks and devices used again.
    Misled by:  one office, one reseller: control without extraction.
    Evaded by:  a card, an address and a device for each account.
    Source:     method S4; Fellegi and Sunter 1969; Tumminello and others 2011 for the hypergeometric test.
    """
    owner, owners = panel.owners()
    if owners < 2:
        return Skipped(IDENT, "one owner shares nothing with itself")
    population = max(panel.population.owners_count, owners)
    tests = [found for values in panel.shared for found in _tests(values, owner, owners, population)]
    tests.sort(key=lambda test: (test.log_p, test.values.kind, test.index))
    sure = np.log(0.01 / max(1, len(tests)))
    linking = [test for test in tests if test.log_p < sure]
    linked = np.zeros(len(panel.accounts), dtype=bool)
    for test in linking:
        linked[test.holders()] = True
    log_e, without = _log_es(tests, owner, owners, population)
    if not linking:
        nothing = f"no rare address, client or account value links the {owners} owners"
        return Mark(IDENT, FAMILY, log_e, (), (Evidence(IDENT, nothing, 0.0, None, FAMILY),), without, linked=linked)
    links = [_link(test, population) for test in linking]
    kinds = ", ".join(sorted({link.kind for link in links}))
    said = Evidence(
        IDENT,
        f"{int(linked.sum())} of {len(linked)} accounts hang together by {len(links)} rare shared values ({kinds})",
        float(linked.mean()),
        float(np.exp(min(0.0, tests[0].log_p + np.log(len(tests))))),
        FAMILY,
    )
    shown = tuple(sorted(links, key=lambda link: (-link.weight_bits, link.kind, link.pseudonym))[:LINKS_MAX])
    return Mark(IDENT, FAMILY, log_e, (said,), (), without, links=shown, linked=linked, tied=linked)


@dataclass(frozen=True, slots=True)
class _Test:
    """One shared value: how many owners of the family hold it, and how unlikely that is."""

    log_p: float
    values: SharedValues
    index: int
    held: int

    def holders(self) -> Ints:
        return np.asarray(self.values.holder_account[self.values.holder_value == self.index])

    def degree(self) -> int:
        return int(self.values.degree[self.index])


def _tests(values: SharedValues, owner: Ints, owners: int, population: int) -> list[_Test]:
    (value, _), _ = distinct(values.holder_value, owner[values.holder_account])
    held = np.bincount(value, minlength=len(values.value))
    hub = min(HOLDERS_MAX, max(HOLDERS_MIN, int(HOLDERS_SHARE_MAX * population)))
    tested = np.flatnonzero((held >= 1) & (values.degree <= hub))
    log_ps = _log_tails(held[tested], values.degree[tested], owners, population)
    return [_Test(log_p, values, int(v), int(held[v])) for v, log_p in zip(tested, log_ps.tolist(), strict=True)]


def _log_tails(held: Ints, degree: Ints, owners: int, population: int) -> Floats:
    """Return log P(so many holders | one at least) of each value.

    A value is looked at because an owner of the family holds it: that one is given, and says nothing. Values with no
    further holder have been looked at as well, and count among the looks.
    """
    log_ps = np.zeros(len(held))
    more = np.flatnonzero(held >= 2)
    if len(more):
        pairs, which = np.unique(np.stack([held[more], degree[more]]), axis=1, return_inverse=True)
        at_least = np.stack([pairs[0] - 1, np.zeros(pairs.shape[1], dtype=np.int64)])
        tails = np.asarray(stats.hypergeom.logsf(at_least, population, pairs[1], owners))
        log_ps[more] = np.minimum(0.0, tails[0] - tails[1])[which.ravel()]
    return log_ps


def _log_es(tests: list[_Test], owner: Ints, owners: int, population: int) -> tuple[float, Floats]:
    """Return log e of the rarest sharing, corrected for the values looked at, and the same without each account."""
    none = log_e_from_log_p(0.0)
    without = np.full(len(owner), none)
    if not tests:
        return none, without
    looks = np.log(len(tests))
    first = tests[0]
    log_e = log_e_from_log_p(min(0.0, first.log_p + looks))
    without[:] = log_e
    one_less = np.array([first.held - 1]), np.array([first.degree()])
    fewer = float(_log_tails(*one_less, owners - 1, population)[0])
    second = tests[1].log_p if len(tests) > 1 else 0.0
    without[first.holders()] = log_e_from_log_p(min(0.0, min(fewer, second) + looks))
    return log_e, without


def _link(test: _Test, population: int) -> Link:
    weight = float(np.log2(MATCH_RATE / (test.degree() / population) ** 2))
    return Link(
        test.values.kind, f"{int(test.values.value[test.index]):016x}", test.held, test.degree(), round(weight, 1)
    )

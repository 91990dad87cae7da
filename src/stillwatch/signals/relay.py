"""Relay: accounts that carry other people's requests, so that their calls must be judged and not they."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Mark, Panel

IDENT = "relay"
FAMILY: Family = "infrastructure"
NEEDS = frozenset({"end_user_id", "user_agent", "tls_fingerprint", "tool_names", "is_reseller"})

END_USERS_MIN = 20
"""End users from which on an account serves a public: a team or a household has fewer, a relay or a product more."""

PROGRAMS_MIN = 6
"""Client programs and tool sets from which on an account is not one developer's: of each kind people use one to three,
for work, at home and after an update (our assumption)."""

OWN_SHARE_MAX = 0.5
"""Share of its calls in one family beyond which an account is no carrier of it but does little else: names for end
users are free to invent, organic traffic around the family is not."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Say which of the family's calls come over accounts that serve many people, whose other traffic is theirs.

    Sees:       resellers and relays: many end users or many unlike client programs behind one account, which does much
                besides the family. It speaks against naming the account and not against the finding.
    Misled by:  a product with many users, which is a carrier too; a gateway that gives every call a user of its own.
    Evaded by:  a relay that strips users and programs from what it passes on and declares nothing.
    Source:     threat model 4.1, evasions 2 and 3, R-I14.
    """
    facts = panel.facts
    if not (
        facts.reseller.any()
        or any(counts.any() for counts in (facts.end_users, facts.agents, facts.clients, facts.toolsets))
    ):
        return Skipped(IDENT, "nothing tells one caller of an account from another")
    carrying = carriers(panel)
    tested = panel.calls.account[panel.calls.tested]
    share = float(carrying[tested].mean()) if len(tested) else 0.0
    figures = {"relay_share": share, "carriers": float(carrying.sum())}
    if not carrying.any():
        return Mark(IDENT, FAMILY, None, (), figures=figures)
    users, different, outside = (
        np.median(each[carrying]) for each in (facts.end_users, programs(panel), relay_shares(panel))
    )
    said = Evidence(
        IDENT,
        f"{int(carrying.sum())} of {len(carrying)} accounts carry other people's requests (at the median {users:.0f} "
        f"end users and {different:.0f} programs, {outside:.0%} of their calls outside the family), and {share:.0%} of "
        "the family's calls come over them: judge these calls, not the accounts",
        share,
        None,
        FAMILY,
    )
    return Mark(IDENT, FAMILY, None, (), (said,), figures=figures)


def carriers(panel: Panel) -> npt.NDArray[np.bool_]:
    """Return which accounts carry other people's requests besides the family's: bool[K].

    Twin:    tests/naive/relay.py::is_carrier
    """
    facts = panel.facts
    serves = facts.reseller | (facts.end_users >= END_USERS_MIN) | (programs(panel) >= PROGRAMS_MIN)
    found: npt.NDArray[np.bool_] = serves & (relay_shares(panel) >= 1 - OWN_SHARE_MAX)
    return found


def relay_shares(panel: Panel) -> Floats:
    """Return the share of each account's calls that are outside the family, of a carrier other people's: float64[K]."""
    return np.asarray(1 - panel.pool().shares)


def programs(panel: Panel) -> npt.NDArray[np.int64]:
    """Return how many unlike programs call over each account: int64[K].

    What a program is shows in its agent, its TLS and its tools. One of them may vary by itself (an agent that carries a
    version, tools that are offered by need), so the second largest of the three counts.
    """
    facts = panel.facts
    counts = np.sort(np.stack([facts.agents, facts.clients, facts.toolsets]), axis=0)
    second: npt.NDArray[np.int64] = counts[1]
    return second

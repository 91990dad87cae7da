"""The step between a conclusion and the second look: what grants cover is taken out, and audited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.campaign import exemption
from stillwatch.campaign.claims import Claims
from stillwatch.campaign.conclusion import NO_DRAFT, Conclusion, Draft
from stillwatch.campaign.exemption import Exemption, KeyedGrant, Usage, Volume
from stillwatch.engines.contract import RunRequest
from stillwatch.engines.second_look import campaign_ident, drafts_of, part_of
from stillwatch.evidence import grants as granting
from stillwatch.evidence import revocations
from stillwatch.kernels.tracer import TraceKeys

Calls = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Granted:
    """The grants that a run takes into account, under its pseudonyms, and how much of each was used before its log.

    Units:   revoked is from when each of those grants is that was revoked, RFC 3339.
    """

    grants: tuple[KeyedGrant, ...]
    earlier: Mapping[str, Volume]
    revoked: Mapping[str, str]

    @staticmethod
    def of(request: RunRequest) -> Granted | None:
        """Read and verify a request's grants; None where it names none.

        Raises:  what `evidence.grants.load`, `evidence.revocations.load` and `exemption.volumes` raise.
        """
        if not request.grants:
            return None
        grants = granting.load(request.grants, request.grant_keys)
        revoked = revocations.load(request.grant_revocations, request.grant_keys)
        keyed = exemption.keyed(revocations.apply(grants, revoked), TraceKeys.derive(request.key).identifiers)
        given = {one.grant_id for one in grants}
        said = {grant_id: revocations.rfc3339(at) for grant_id, at in revoked.items() if grant_id in given}
        return Granted(tuple(keyed), exemption.volumes(request.grants_used), said)

    def idents(self) -> list[str]:
        """Return the grants' names."""
        return [one.grant.grant_id for one in self.grants]


@dataclass(frozen=True, slots=True)
class Exempted:
    """A conclusion without what grants cover, its calls, and the lines of `exemptions.jsonl`."""

    concluded: Conclusion
    calls: Calls
    lines: list[dict[str, object]]


def without_granted(granted: Granted, calls: Calls, concluded: Conclusion) -> Exempted:
    """Take out the campaigns and accounts that grants cover.

    Whoever takes part in a campaign counts, named or carrying a slice of it: a campaign is exempt where nobody who
    takes part is left. `calls` are FamilyCalls.closest.
    """
    draft = drafts_of(calls, concluded)
    named, sliced = part_of(calls, draft, concluded.campaigns)
    listed = named | sliced
    usages = [_usage(calls, listed & (draft == at)) for at in range(len(concluded.campaigns))]
    found = exemption.exempt(usages, granted.grants, granted.earlier)
    drafts = [exemption.without_exempted(one, of) for one, of in zip(concluded.campaigns, found, strict=True)]
    idents = [
        _ident(whole if of.status == "exempted" else rest)
        for whole, rest, of in zip(concluded.campaigns, drafts, found, strict=True)
    ]
    stays = ~_covered(draft, calls["account_key"], found)
    return Exempted(
        _reduced(concluded, drafts, found),
        {name: column[stays] for name, column in calls.items()},
        exemption.lines(idents, found),
    )


def _usage(calls: Calls, mine: np.ndarray) -> Usage:
    return Usage(
        account=calls["account_key"][mine].astype(np.uint64),
        organization=calls["organization_key"][mine].astype(np.uint64),
        model=calls["model_key"][mine].astype(np.uint64),
        time_us=calls["time_us"][mine],
        output_tokens=calls["output_tokens"][mine].astype(np.int64),
    )


def _covered(draft: np.ndarray, account: np.ndarray, found: list[Exemption]) -> np.ndarray:
    """Return which rows belong to an exempted campaign or are an exempted account's in its campaign: bool[n]."""
    covered = np.zeros(len(draft), dtype=bool)
    for at, one in enumerate(found):
        mine = draft == at
        covered |= mine & (np.isin(account, one.exempted) | (one.status == "exempted"))
    return covered


def _reduced(concluded: Conclusion, drafts: list[Draft], found: list[Exemption]) -> Conclusion:
    claims = concluded.claims
    stays = ~_covered(concluded.draft_of_claim, claims.account, found)
    kept = np.array([one.status != "exempted" for one in found], dtype=bool)
    place = np.append(np.cumsum(kept) - 1, NO_DRAFT)
    return replace(
        concluded,
        campaigns=tuple(one for one, keep in zip(drafts, kept, strict=True) if keep),
        claims=Claims(claims.family[stays], claims.account[stays], claims.calls[stays]),
        draft_of_claim=place[concluded.draft_of_claim[stays]],
    )


def _ident(draft: Draft) -> str:
    return campaign_ident(draft.accounts[draft.taking_part])

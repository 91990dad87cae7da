"""Runs, sanctions and grants → the columns of a snapshot: who is what, and what marks the next call of a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.campaign.exemption import KeyedGrant, keyed, name_keys
from stillwatch.errors import Error
from stillwatch.gate.contract import Tier
from stillwatch.gate.run_files import Marks, RunFiles
from stillwatch.gate.snapshot import DECIDED, RARE_KINDS, TIERS, VERIFIED
from stillwatch.gate.snapshot_file import Columns, Head
from stillwatch.grant import Grant, micros
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.sharing import directory, drawer_bits
from stillwatch.kernels.single import SHARERS_MAX
from stillwatch.pseudonym import Key, key_ident
from stillwatch.sanction import Sanction

ACCOUNTS_MAX = 10_000_000
"""Accounts of one snapshot, verified ones among them: 220 MB, and more than any campaign on record by far."""

SIGNATURES_MAX = 20_000
"""Signatures of one snapshot, newest first: ten campaigns of fifty families a day over six weeks."""

HITS_MIN = 2
"""A signature asks for two shingles at least, even where detection, which has the rest of the account to go by, asked
for one. By chance a call meets one of ten thousand signatures' 64 shingles of 32 bits in 0.5 % of all cases, and two of
one signature in 1.4e-9 of them (36 shingles a call)."""

OUTSIDE_ACCOUNTS_MAX = 0.1
OUTSIDE_CALLS_MAX = 0.01
"""What accounts outside of a campaign may carry its signature, as a share of the accounts and of the calls inside, both
rounded down. A run cannot name whoever just took over and made a few calls: they are few, and a tenth as busy as the
others. Honest people who share a template are as busy with it as anybody, or not few; it would mark them at their next
call, so that a signature which more of them carry marks nobody."""

RARE_SHARE_MIN = 0.5
"""An address or client is a campaign's where half of all who hold it are the campaign's: else it is a place where
strangers meet."""

GRANTS_OF_NAME_MAX = 64
"""Grants that name one account or organisation: a look-up goes through all of them."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything that a snapshot is made of. `verified` are pseudonyms of accounts that the provider knows.

    Units:   times are microseconds since the epoch.
    """

    secret: bytes
    now_us: int
    expires_us: int
    sequence: int
    runs: Sequence[RunFiles] = ()
    sanctions: Sequence[Sanction] = ()
    grants: Sequence[Grant] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    verified: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Names with a tier: n entries each, several of one key; of them the one that stands last holds."""

    key: NDArray[np.uint64]
    tier: NDArray[np.int64]
    decided: NDArray[np.bool_]
    campaign: NDArray[np.int64]
    expires_us: NDArray[np.int64]

    @staticmethod
    def join(parts: Sequence[_Rows]) -> _Rows:
        """Keep one row of each key: decided before found, then the greater tier, then the later part."""
        whole = [np.concatenate([getattr(part, name) for part in parts]) for name in _Rows.__slots__]
        order = np.lexsort((np.arange(len(whole[0])), whole[1], whole[2], whole[0]))
        key = whole[0][order]
        last = np.append(key[1:] != key[:-1], True)[: len(key)] & (key != 0)
        return _Rows(*(column[order][last] for column in whole))


def build(given: Given) -> tuple[Head, Columns]:
    """Return the head and the columns of a snapshot.

    Raises:  snapshot-too-large; too-many-grants.
    """
    runs = sorted(given.runs, key=lambda run: (run.end_us, run.ident))
    sanctions = [one for one in given.sanctions if micros(one.not_before) <= given.now_us < micros(one.expires)]
    grants = [one for one in given.grants if micros(one.expires) > given.now_us]
    left_out: Counter[str] = Counter(
        sanctions_not_in_force=len(given.sanctions) - len(sanctions), grants_expired=len(given.grants) - len(grants)
    )
    cleared = {ident for one in sanctions if one.standing == "cleared" for ident in one.campaigns}
    campaigns = sorted({ident for run in runs for ident in (*run.campaigns, *(one.campaign_id for one in run.marks))})
    marks = _kept_marks(runs, cleared, left_out)
    columns: Columns = {"campaign_id": _numbers(campaigns)}
    columns |= _account_columns(given, runs, sanctions, campaigns)
    columns |= _organization_columns(given, sanctions)
    columns |= _campaign_columns(marks, runs, campaigns)
    columns |= _signature_columns(marks, campaigns, given.expires_us, left_out)
    columns |= _grant_columns(keyed(grants, Key.derive(given.secret, "identifiers")))
    counts = {
        "accounts": len(columns["account_key"]),
        "organizations": len(columns["organization_key"]),
        "campaigns": len(campaigns),
        "signatures": len(marks),
        "rare_values": len(columns["rare_key"]),
        "sanctions": len(sanctions),
        "grants": len(grants),
    }
    tiers = np.bincount(columns["account_tier"].astype(np.int64), minlength=len(TIERS))
    counts |= {f"accounts_{tier}": int(count) for tier, count in zip(TIERS, tiers, strict=True) if count}
    head = Head(
        given.now_us,
        given.expires_us,
        given.sequence,
        key_ident(given.secret),
        counts,
        {reason: count for reason, count in sorted(left_out.items()) if count},
        dict(sorted(given.policies.items())),
        tuple(run.ident for run in runs),
    )
    return head, columns


def verified_keys(accounts: Iterable[pa.RecordBatch], secret: bytes) -> NDArray[np.uint64]:
    """Return the pseudonyms of accounts (`event.ACCOUNT_SCHEMA`) whose identity the provider has verified."""
    key, found = Key.derive(secret, "identifiers"), [np.zeros(0, dtype=np.uint64)]
    for batch in accounts:
        known = pc.match_substring(batch["verification"], "identity", ignore_case=True)
        found.append(pseudonyms(batch["account_id"].filter(pc.fill_null(known, False)), key))
    return np.unique(np.concatenate(found))


def _numbers(idents: Sequence[str]) -> NDArray[np.uint64]:
    """Return names such as c-0123 as the numbers that they spell."""
    return np.array([int(ident[2:], 16) for ident in idents], dtype=np.uint64)


def _account_columns(
    given: Given, runs: Sequence[RunFiles], sanctions: Sequence[Sanction], campaigns: Sequence[str]
) -> Columns:
    number = {ident: at + 1 for at, ident in enumerate(campaigns)}
    parts = [_rows(given.verified, "none", False, given.expires_us)]
    for run in runs:
        cluster = np.array([number[ident] for ident in run.campaigns] or [0], dtype=np.int64)[run.campaign_of]
        tier = np.where(run.named, TIERS.index("suspected"), TIERS.index("watch"))
        ends = np.full(len(tier), given.expires_us)
        parts.append(_Rows(run.accounts, tier, np.zeros(len(tier), dtype=bool), cluster, ends))
    found = _Rows.join(parts)
    parts = [found]
    for one in sanctions:
        named = _named(given, one.accounts, one.campaigns, runs, one.standing == "cleared")
        rows = _rows(named, one.standing, True, min(micros(one.expires), given.expires_us))
        # Whoever is decided about stays in the campaign that a run found it in.
        place = np.minimum(np.searchsorted(found.key, named), max(len(found.key) - 1, 0))
        known = found.key[place] == named if len(found.key) else np.zeros(len(named), dtype=bool)
        rows.campaign[known] = found.campaign[place[known]]
        parts.append(rows)
    rows = _Rows.join(parts)
    if len(rows.key) > ACCOUNTS_MAX:
        raise Error("snapshot-too-large", f"expected {ACCOUNTS_MAX} accounts at most, got {len(rows.key)}")
    verified = np.isin(rows.key, given.verified)
    return {
        "account_key": rows.key,
        "account_tier": rows.tier,
        "account_flags": verified * VERIFIED + rows.decided * DECIDED,
        "account_cluster": rows.campaign,
        "account_expires_us": rows.expires_us,
    }


def _named(
    given: Given, names: Sequence[str], campaigns: Sequence[str], runs: Sequence[RunFiles], watched_too: bool
) -> NDArray[np.uint64]:
    """Return the accounts that are named, and those of the campaigns that are."""
    keys = [name_keys(names, Key.derive(given.secret, "identifiers"))]
    for run in runs if campaigns else ():
        mine = np.isin(run.campaign_of, [at for at, ident in enumerate(run.campaigns) if ident in campaigns])
        keys.append(run.accounts[mine & (run.named | watched_too)])
    return np.unique(np.concatenate(keys))


def _rows(keys: NDArray[np.uint64], tier: Tier, decided: bool, expires_us: int) -> _Rows:
    count = len(keys)
    return _Rows(
        keys,
        np.full(count, TIERS.index(tier)),
        np.full(count, decided),
        np.zeros(count, dtype=np.int64),
        np.full(count, expires_us),
    )


def _organization_columns(given: Given, sanctions: Sequence[Sanction]) -> Columns:
    key = Key.derive(given.secret, "identifiers")
    parts = [_rows(np.zeros(0, dtype=np.uint64), "none", True, 0)]
    for one in sanctions:
        ends = min(micros(one.expires), given.expires_us)
        parts.append(_rows(name_keys(one.organizations, key), one.standing, True, ends))
    rows = _Rows.join(parts)
    return {"organization_key": rows.key, "organization_tier": rows.tier, "organization_expires_us": rows.expires_us}


def _kept_marks(runs: Sequence[RunFiles], cleared: set[str], left_out: Counter[str]) -> list[Marks]:
    """Return the marks that may tell a call, newest first: of each family the newest run's."""
    innocent = {one.group_id for run in runs for one in run.marks if one.campaign_id in cleared}
    newest = {one.group_id: one for run in runs for one in run.marks}
    left_out["signatures_of_older_runs"] = sum(len(run.marks) for run in runs) - len(newest)
    kept: list[Marks] = []
    for run in reversed(runs):
        for one in sorted(run.marks, key=lambda one: one.group_id):
            if newest[one.group_id] is not one:
                continue
            reason = "signatures_cleared" if one.group_id in innocent else why_left_out(one)
            if reason is None and len(kept) == SIGNATURES_MAX:
                reason = "signatures_max"
            if reason is None:
                kept.append(one)
            else:
                left_out[reason] += 1
    return kept


def why_left_out(one: Marks) -> str | None:
    """Say why a signature must not mark a call; None where it may."""
    if len(one.shingles) < HITS_MIN or not one.own_shingles or one.own_needed < 1:
        return "signatures_too_short"
    too_many = one.outside_accounts_count > int(OUTSIDE_ACCOUNTS_MAX * one.accounts_count)
    if too_many or one.outside_calls_count > int(OUTSIDE_CALLS_MAX * one.calls_count):
        return "signatures_shared_with_others"
    return None


def _campaign_columns(marks: Sequence[Marks], runs: Sequence[RunFiles], campaigns: Sequence[str]) -> Columns:
    number = {ident: at for at, ident in enumerate(campaigns)}
    ban_us = np.full(len(campaigns), -1, dtype=np.int64)
    for one in (one for run in runs for one in run.marks):
        ban_us[number[one.campaign_id]] = max(ban_us[number[one.campaign_id]], one.ban_us)
    rare = sorted(
        {
            (int(link.pseudonym, 16), RARE_KINDS.index(link.kind), number[one.campaign_id] + 1)
            for one in marks
            for link in one.links
            if link.kind in RARE_KINDS and link.accounts_count >= RARE_SHARE_MIN * link.population_accounts_count
        }
    )
    return {
        "campaign_ban_us": ban_us,
        "rare_key": np.array([key for key, _, _ in rare], dtype=np.uint64),
        "rare_kind": np.array([kind for _, kind, _ in rare], dtype=np.uint8),
        "rare_cluster": np.array([cluster for _, _, cluster in rare], dtype=np.uint32),
    }


def _signature_columns(
    marks: Sequence[Marks], campaigns: Sequence[str], expires_us: int, left_out: Counter[str]
) -> Columns:
    number = {ident: at + 1 for at, ident in enumerate(campaigns)}
    cores = [np.unique(np.array(one.shingles, dtype=np.uint32)) for one in marks]
    pairs = [np.unique(np.array(one.own_shingles, dtype=np.uint32)) for one in marks]
    own = np.concatenate([np.zeros(0, dtype=np.uint32), *pairs])
    holder = np.repeat(np.arange(len(marks)), [len(values) for values in pairs])
    order = np.lexsort((holder, own))
    own, holder = own[order], holder[order]
    rank = np.arange(len(own)) - np.searchsorted(own, own)
    left_out["shingles_of_too_many_signatures"] = int((rank >= SHARERS_MAX).sum())
    own, holder = own[rank < SHARERS_MAX], holder[rank < SHARERS_MAX]
    return {
        "signature_id": _numbers([one.group_id for one in marks]),
        "signature_cluster": np.array([number[one.campaign_id] for one in marks], dtype=np.uint32),
        "signature_needed": np.array(
            [(one.own_needed, max(one.hits_needed, HITS_MIN)) for one in marks], dtype=np.int32
        ).ravel(),
        # A tenth of a campaign's accounts at most: it fits.
        "signature_outside": np.array([one.outside_accounts_count for one in marks], dtype=np.int32),
        "signature_expires_us": np.full(len(marks), expires_us, dtype=np.int64),
        "core": np.concatenate([np.zeros(0, dtype=np.uint32), *cores]),
        "core_starts": np.cumsum([0, *map(len, cores)]).astype(np.int32),
        "own": own,
        "own_starts": directory(own, drawer_bits(len(own))),
        "own_signatures": holder.astype(np.int32),
    }


def _grant_columns(grants: Sequence[KeyedGrant]) -> Columns:
    named = [np.union1d(one.accounts, one.organizations) for one in grants]
    key = np.concatenate([np.zeros(0, dtype=np.uint64), *named])
    number = np.repeat(np.arange(len(grants)), [len(keys) for keys in named])
    order = np.lexsort((number, key))
    key, number = key[order], number[order]
    if len(key) and (np.arange(len(key)) - np.searchsorted(key, key)).max() >= GRANTS_OF_NAME_MAX:
        raise Error("too-many-grants", f"more than {GRANTS_OF_NAME_MAX} grants name one account or organisation")
    models = [one.models for one in grants]
    said = [one.grant for one in grants]
    return {
        "grant_id": _numbers([one.grant_id for one in said]),
        "grant_begins_us": np.array([micros(one.not_before) for one in said], dtype=np.int64),
        "grant_expires_us": np.array([micros(one.expires) for one in said], dtype=np.int64),
        "grant_calls_max": np.array([one.calls_max for one in said], dtype=np.int64),
        "grant_output_tokens_max": np.array([one.output_tokens_max for one in said], dtype=np.int64),
        "grant_models": np.concatenate([np.zeros(0, dtype=np.uint64), *models]),
        "grant_model_starts": np.cumsum([0, *map(len, models)]).astype(np.int32),
        "grantee_key": key,
        "grantee_grant": number.astype(np.uint32),
    }

"""Grants and campaigns → audited exemptions: what a grant covers is no finding, what leaves its bounds is one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stillwatch.campaign.conclusion import Draft
from stillwatch.errors import Error
from stillwatch.finding import Evidence
from stillwatch.grant import PSEUDONYM_PREFIX, Grant, micros
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.pseudonym import Key
from stillwatch.signals.contract import Ints, Keys

IDENT = "grant"

Status = Literal["exempted", "reduced", "stands"]


@dataclass(frozen=True, slots=True)
class Usage:
    """The calls of the accounts that take part in one campaign, each call once. Organisations are 0 where unknown,
    tokens -1.

    Shapes:  every field has n entries.
    """

    account: Keys
    organization: Keys
    model: Keys
    time_us: Ints
    output_tokens: Ints


@dataclass(frozen=True, slots=True)
class KeyedGrant:
    """A grant whose names are pseudonyms of the run."""

    grant: Grant
    accounts: Keys
    organizations: Keys
    models: Keys


@dataclass(frozen=True, slots=True)
class Volume:
    """How much of a grant was used."""

    calls: int = 0
    output_tokens: int = 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.calls + other.calls, self.output_tokens + other.output_tokens)


@dataclass(frozen=True, slots=True)
class Tally:
    """What runs counted against one grant: the volume inside its bounds, and its grantee's calls outside of each."""

    inside: Volume = Volume()
    other_model_calls: int = 0
    early_calls: int = 0
    late_calls: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """What one grant has to do with one campaign. Calls of accounts that it names fall inside its bounds or outside of
    one: another model, too early, too late. `exceeded` says which volume ran out, if any: then it exempts nobody.
    """

    grant_id: str
    accounts_count: int
    exempted_accounts_count: int
    calls_count: int
    output_tokens: int
    other_model_calls: int
    early_calls: int
    late_calls: int
    exceeded: Literal["", "calls", "output tokens"]
    calls_left: int
    output_tokens_left: int

    def statement(self) -> str:
        """Say it in a sentence of figures and fixed words."""
        out = [
            f"{count} calls {why}"
            for count, why in (
                (self.other_model_calls, "on another model"),
                (self.early_calls, "before it began"),
                (self.late_calls, "after it ended"),
            )
            if count
        ]
        if self.exceeded:
            out.append(f"more {self.exceeded} than it allows")
        left = f"; out of its bounds: {', '.join(out)}" if out else ""
        return (
            f"grant {self.grant_id} names {self.accounts_count} of the accounts, covers {self.calls_count} of their "
            f"calls and exempts {self.exempted_accounts_count} accounts{left}"
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """What grants make of one campaign.

    Shapes:  exempted, remaining: uint64 ascending, the accounts that take part, in two parts.
    """

    status: Status
    exempted: Keys
    remaining: Keys
    audits: tuple[Audit, ...]

    def counter_evidence(self) -> tuple[Evidence, ...]:
        """Return what to say about the campaign where it stands in part or whole."""
        share = len(self.exempted) / max(1, len(self.exempted) + len(self.remaining))
        said = [Evidence(IDENT, audit.statement(), share, None, "intent") for audit in self.audits]
        if self.status == "reduced":
            rest = (
                f"{len(self.exempted)} accounts were taken out by grants; the evidence was computed with them, and "
                f"{len(self.remaining)} remain"
            )
            said.append(Evidence(IDENT, rest, share, None, "intent"))
        return tuple(said)


def keyed(grants: Sequence[Grant], key: Key) -> list[KeyedGrant]:
    """Turn the names of grants into the run's pseudonyms (`key` is that of identifiers), grants in order of name."""
    return [
        KeyedGrant(grant, *(name_keys(names, key) for names in (grant.accounts, grant.organizations, grant.models)))
        for grant in sorted(grants, key=lambda grant: grant.grant_id)
    ]


def exempt(
    usages: Sequence[Usage], grants: Sequence[KeyedGrant], earlier: Mapping[str, Volume] | None = None
) -> list[Exemption]:
    """Say of each campaign what grants make of it; `earlier` is what each grant had been used for before this log.

    A call is covered by the first grant that names its account or organisation and its model, at its time. Volume is
    added up over all campaigns, so that no order of them matters; a grant that runs out exempts nobody, since nobody
    can say whose calls were the ones too many. An account is exempt if all its calls are.

    Cost:    O(calls · grants).
    """
    before = earlier or {}
    places = [[_place(usage, one) for one in grants] for usage in usages]
    covering = [_first(of, len(usage.account)) for of, usage in zip(places, usages, strict=True)]
    used = [Volume()] * len(grants)
    for usage, by in zip(usages, covering, strict=True):
        for at in range(len(grants)):
            used[at] += _volume(usage, by == at)
    used = [before.get(one.grant.grant_id, Volume()) + volume for one, volume in zip(grants, used, strict=True)]
    exceeded = [_exceeded(one.grant, volume) for one, volume in zip(grants, used, strict=True)]
    spent = np.array([bool(reason) for reason in exceeded] + [True])
    found = []
    for usage, by, of in zip(usages, covering, places, strict=True):
        accounts, account = np.unique(usage.account, return_inverse=True)
        outside = np.bincount(account[spent[by]], minlength=len(accounts)) > 0
        audits = tuple(
            _audit(one, usage, of[at], by == at, accounts[~outside], (used[at], exceeded[at]))
            for at, one in enumerate(grants)
            if of[at].named.any()
        )
        whole = not outside.any() and len(accounts) > 0
        status: Status = "exempted" if whole else "stands" if outside.all() else "reduced"
        found.append(Exemption(status, accounts[~outside], accounts[outside], audits))
    return found


def without_exempted(draft: Draft, exemption: Exemption) -> Draft:
    """Return the campaign without its exempted accounts, and with what grants have to say about it."""
    stay = ~np.isin(draft.accounts, exemption.exempted)
    return replace(
        draft,
        accounts=draft.accounts[stay],
        membership=draft.membership[stay],
        named=draft.named[stay],
        sliced=draft.sliced[stay],
        counter_evidence=draft.counter_evidence + exemption.counter_evidence(),
    )


def lines(campaign_ids: Sequence[str], exemptions: Sequence[Exemption]) -> list[dict[str, object]]:
    """Return the lines of `exemptions.jsonl`: every campaign that a grant has to do with, whatever came of it."""
    return [
        {
            "campaign_id": ident,
            "status": one.status,
            "exempted_accounts_count": len(one.exempted),
            "remaining_accounts_count": len(one.remaining),
            "grants": [{**asdict(audit), "statement": audit.statement()} for audit in one.audits],
        }
        for ident, one in zip(campaign_ids, exemptions, strict=True)
        if one.audits
    ]


class _Used(msgspec.Struct, frozen=True):
    grant_id: str
    calls_count: int
    output_tokens: int
    other_model_calls: int = 0
    early_calls: int = 0
    late_calls: int = 0


class _Line(msgspec.Struct, frozen=True):
    grants: tuple[_Used, ...]


class _Window(msgspec.Struct, frozen=True):
    start: str
    end: str


class _Facts(msgspec.Struct, frozen=True):
    window: _Window


def volumes(run_dirs: Sequence[Path]) -> dict[str, Volume]:
    """Return the volume that earlier runs counted against each grant.

    Raises:  what `tallies` raises.
    """
    return {grant_id: tally.inside for grant_id, tally in tallies(run_dirs).items()}


def tallies(run_dirs: Sequence[Path]) -> dict[str, Tally]:
    """Add up what earlier runs counted against each grant, from their `exemptions.jsonl`.

    Raises:  broken-run; runs-overlap where a call could have been counted twice.
    """
    windows, found = [], dict[str, Tally]()
    for run_dir in run_dirs:
        try:
            window = msgspec.json.decode((run_dir / "run.json").read_bytes(), type=_Facts).window
            windows.append((micros(window.start), micros(window.end)))
            path = run_dir / "exemptions.jsonl"
            text = path.read_bytes() if path.exists() else b""
            told = [msgspec.json.decode(line, type=_Line) for line in text.splitlines() if line.strip()]
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise Error(
                "broken-run",
                "a file of the run cannot be read: it is cut short or was written by something else",
                hint="name the folder that `stillwatch detect --out` wrote",
                where=str(run_dir),
            ) from error
        for used in (used for line in told for used in line.grants):
            sofar = found.get(used.grant_id, Tally())
            found[used.grant_id] = Tally(
                sofar.inside + Volume(used.calls_count, used.output_tokens),
                sofar.other_model_calls + used.other_model_calls,
                sofar.early_calls + used.early_calls,
                sofar.late_calls + used.late_calls,
            )
    windows.sort()
    if any(later[0] <= sooner[1] for sooner, later in pairwise(windows)):
        raise Error(
            "runs-overlap",
            "two of the earlier runs cover the same time, and would count calls against a grant twice",
            hint="name runs whose windows follow one another",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where calls lie beside one grant: of accounts that it names; inside; outside by model, early, late."""

    named: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    other_model: NDArray[np.bool_]
    early: NDArray[np.bool_]
    late: NDArray[np.bool_]


def _place(usage: Usage, one: KeyedGrant) -> _Place:
    named = np.isin(usage.account, one.accounts) | np.isin(usage.organization, one.organizations)
    model = np.isin(usage.model, one.models)
    early = usage.time_us < micros(one.grant.not_before)
    late = usage.time_us >= micros(one.grant.expires)
    return _Place(named, named & model & ~early & ~late, named & ~model, named & early, named & late)


def _first(places: Sequence[_Place], calls_count: int) -> Ints:
    """Return the first grant that covers each call, -1 where none does: int64[n]."""
    first = np.full(calls_count, -1, dtype=np.int64)
    for at in reversed(range(len(places))):
        first[places[at].inside] = at
    return first


def _volume(usage: Usage, mine: NDArray[np.bool_]) -> Volume:
    return Volume(int(mine.sum()), int(np.maximum(usage.output_tokens[mine], 0).sum()))


def _exceeded(grant: Grant, used: Volume) -> Literal["", "calls", "output tokens"]:
    if used.calls > grant.calls_max:
        return "calls"
    return "output tokens" if used.output_tokens > grant.output_tokens_max else ""


def _audit(
    one: KeyedGrant,
    usage: Usage,
    place: _Place,
    mine: NDArray[np.bool_],
    exempted: Keys,
    spent: tuple[Volume, Literal["", "calls", "output tokens"]],
) -> Audit:
    used, exceeded = spent
    volume = _volume(usage, mine)
    return Audit(
        grant_id=one.grant.grant_id,
        accounts_count=len(np.unique(usage.account[place.named])),
        exempted_accounts_count=int(np.isin(exempted, usage.account[mine]).sum()),
        calls_count=volume.calls,
        output_tokens=volume.output_tokens,
        other_model_calls=int(place.other_model.sum()),
        early_calls=int(place.early.sum()),
        late_calls=int(place.late.sum()),
        exceeded=exceeded,
        calls_left=max(0, one.grant.calls_max - used.calls),
        output_tokens_left=max(0, one.grant.output_tokens_max - used.output_tokens),
    )


def name_keys(names: Sequence[str], key: Key) -> Keys:
    """Return the pseudonyms of names, some of which are pseudonyms already."""
    hidden = [int(name.removeprefix(PSEUDONYM_PREFIX), 16) for name in names if name.startswith(PSEUDONYM_PREFIX)]
    plain = [name for name in names if not name.startswith(PSEUDONYM_PREFIX)]
    keys = np.concatenate([np.array(hidden, dtype=np.uint64), pseudonyms(pa.array(plain, pa.string()), key)])
    return np.unique(keys[keys != 0])

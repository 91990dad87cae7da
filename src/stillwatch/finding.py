"""What detection says: marks, links, groups and campaigns. Frozen, stdlib, no prompt, no raw identifier.

Statements are sentences made of figures and fixed words; a finding is a suspicion with a q-value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal[
    "extraction-campaign",
    "common-control",
    "shared-template",
    "common-task",
    "undecided",
]
"""extraction-campaign: coordinated and extracting; the only outcome that names accounts.
common-control: coordinated, with no sign of extraction (a reseller, an enterprise).
shared-template: strangers who use one public template each in their own way.
common-task: accounts that repeat one another's items (a class, an evaluation, a viral prompt).
undecided: something, yet not enough; listed so that a person can look."""

Verdict = Literal["campaign", "watch"]

Family = Literal["content", "dispatch", "infrastructure", "lifecycle", "intent", "provenance"]
"""Independent kinds of evidence: what is asked, how it is spread, over what it travels, how the accounts
came to be, what it is for, and whose reasoning it carries on. A campaign needs two of them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence for or against, with its figure. `p_value` is None where no null model stands behind it."""

    signal: str
    statement: str
    value: float
    p_value: float | None
    family: Family


@dataclass(frozen=True, slots=True)
class Skipped:
    """A signal that could not run, and why."""

    ident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one signal measured on a family: the natural logarithm of its e-value, its score, or both."""

    signal: str
    log_e: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One rare value that accounts of a campaign share. `pseudonym` is 16 hex digits, never the value."""

    kind: str
    pseudonym: str
    accounts_count: int
    population_accounts_count: int
    weight_bits: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """A line of `campaigns.jsonl`. Times are RFC 3339 in UTC.

    `events_count` are all calls of the campaign, `carried_events_count` those of them that went through
    `carriers_count` accounts whose other traffic (`collateral_events_count` calls) is somebody else's: these accounts
    are under watch and not named.
    """

    campaign_id: str
    p_value: float
    q_value: float
    accounts_count: int
    events_count: int
    output_tokens: int
    first_seen: str
    last_seen: str
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...]
    capabilities: tuple[str, ...]
    techniques: tuple[str, ...]
    links: tuple[Link, ...]
    group_ids: tuple[str, ...]
    carriers_count: int
    carried_events_count: int
    collateral_events_count: int
    status: Literal["suspected"] = "suspected"


@dataclass(frozen=True, slots=True)
class Group:
    """A line of `groups.jsonl`: one family that was tested, whatever came of it.

    `log_e_coordination` is the natural logarithm of an e-value, `p_extraction` a conformal p-value; `reason` says in
    one sentence why the outcome is what it is, `would_change` what would turn it. `score` is the extraction score of a
    family that was a hypothesis, None for one that was set aside or not tested; `readings` are what signals measured.
    """

    group_id: str
    outcome: Outcome
    accounts_count: int
    organizations_count: int
    events_count: int
    log_e_coordination: float
    p_extraction: float
    q_value: float
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...]
    reason: str
    would_change: str
    campaign_id: str | None = None
    score: float | None = None
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """The smallest campaign of one class that a run would have found: with a probability of a half, and of 0.95.

    Sizes are None where none would be. `needs` are columns of which one must be filled; `reason_blind` says why the
    class is not seen, and is empty where it is.
    """

    campaign_class: str
    accounts_half: int | None
    calls_half: int | None
    accounts_most: int | None
    calls_most: int | None
    needs: tuple[str, ...]
    reason_blind: str

"""Why a campaign or an account was found, why perhaps not, and what would change the verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from stillwatch.campaign.membership import OWN_SHARE, SLICE_SHARE_MAX
from stillwatch.errors import Error
from stillwatch.finding import Campaign, Group
from stillwatch.report import reading, wording
from stillwatch.report.terminal import evidence_line, trimmed

PREFIX_CHARS_MIN = 6
"""Shorter prefixes of a campaign's digest are more likely a slip than a name."""

GROUPS_MAX = 10
"""Tested families that an account is told about, those with most of its calls first."""

OUTSIDE_FACTS = (
    "For this account alone: calls that fit no family of the campaign, or facts from outside the log that"
    " explain the shared work, such as one owner, a course or an evaluation."
)

NO_FAMILY = (
    "Only families of calls that share a prompt structure across enough accounts are tested. No call of such an"
    " account fits one that was tested, nor one of the largest that were not."
)

NOTHING_FOR_IT = "No signal spoke for a campaign in the families that its calls fit."

CAMPAIGN_ID = re.compile(r"c-[0-9a-f]{4,16}")
"""What a campaign's id or the beginning of one looks like; an account is looked up by the same argument."""

CARRIER = (
    "Its calls in the campaign are the campaign's as surely as those of the named accounts, but they are a small part"
    " of what the account does."
)

OTHERS_WORK = (
    "Most of what it does is no part of the campaign, as with a reseller, a relay or a key that was taken: whoever runs"
    " it may not know."
)

LARGER_SHARE = (
    f"More of its calls in the campaign: an account is named from {wording.percent(SLICE_SHARE_MAX)} of its calls on,"
    f" and one that passes on others' requests from {wording.percent(OWN_SHARE)}."
)

NEAR_A_FINDING = "Some of its calls fit a family that was found, and none of its own evidence stands without them."

OTHER_KEY = (
    "More calls that share their structure with other accounts, a longer log, or the right key: under"
    " another key than the run's the account cannot be recognised."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One answer in sentences. `ident` is the campaign's digest, or None for an account."""

    subject: Literal["campaign", "account"]
    ident: str | None
    verdict: Literal["campaign", "watch", "not-listed", "not-tested"]
    what: tuple[str, ...]
    why: tuple[str, ...]
    why_not: tuple[str, ...]
    what_would_change: tuple[str, ...]


def explain(run_dir: Path, name: str, account_key: int | None) -> Explanation:
    """Explain a campaign (its id or a prefix of six) or an account (its id).

    `account_key` is the account's pseudonym under the run's key. It finds accounts that were tested and
    cleared, whose ids a run does not keep; None where the caller has no key.

    Raises:  unknown-name, ambiguous-name, not-a-run, broken-run, unknown-schema-version.
    """
    run = reading.read(run_dir)
    campaign = _campaign_named(run, name)
    if campaign is not None:
        return _of_campaign(run, campaign)
    rows = reading.account_rows(run_dir, "account_id", name)
    if rows:
        return _of_found_account(run, rows)
    calls = {} if account_key is None else reading.considered_groups(run_dir, account_key)
    if account_key is None or (not calls and CAMPAIGN_ID.fullmatch(name)):
        raise Error(
            "unknown-name",
            "no campaign and no found or watched account of this run has that name",
            hint="campaign ids are in campaigns.jsonl, account ids in accounts.parquet",
            where=str(run_dir),
        )
    by_id = {group.group_id: group for group in run.groups}
    fitted = [(by_id[group_id], n) for group_id, n in calls.items() if group_id in by_id]
    if fitted:
        return _of_fitting_account(run, sorted(fitted, key=lambda pair: (-pair[1], pair[0].group_id)))
    return _of_untested_account(run)


def show(explanation: Explanation, console: Console) -> None:
    """Print an explanation as headed sentences."""
    with trimmed(console):
        _show(explanation, console)


def _show(explanation: Explanation, console: Console) -> None:
    sections = (
        ("What", explanation.what),
        ("Why", explanation.why),
        ("Why perhaps not", explanation.why_not),
        ("What would change it", explanation.what_would_change),
    )
    for number, (title, sentences) in enumerate(sections):
        if number:
            console.print()
        console.print(Text(title, style="bold"))
        for sentence in sentences or ("Nothing is recorded.",):
            console.print(Padding(Text(wording.printable(sentence)), (0, 0, 0, 2), expand=False))


def _campaign_named(run: reading.Run, name: str) -> Campaign | None:
    if len(name) < PREFIX_CHARS_MIN:
        return None
    fitting = [campaign for campaign in run.campaigns if campaign.campaign_id.startswith(name)]
    exact = [campaign for campaign in fitting if campaign.campaign_id == name]
    if len(fitting) > 1 and not exact:
        raise Error(
            "ambiguous-name",
            f"{len(fitting)} campaigns begin with that prefix, expected one",
            hint="give more digits of the campaign id",
            where=str(run.directory / "campaigns.jsonl"),
        )
    found = exact or fitting
    return found[0] if found else None


def _of_campaign(run: reading.Run, campaign: Campaign) -> Explanation:
    groups = run.groups_of(campaign)
    return Explanation(
        subject="campaign",
        ident=campaign.campaign_id,
        verdict="campaign",
        what=(wording.summary_of(campaign), _listed(run, campaign), wording.SUSPICION),
        why=(
            *(evidence_line(item) for item in wording.strongest(campaign.evidence)),
            *_reasons(groups),
        ),
        why_not=(
            *(evidence_line(item) for item in wording.strongest(campaign.counter_evidence)),
            *_blind_spots(run),
        ),
        what_would_change=tuple(wording.would_change(groups)),
    )


def _listed(run: reading.Run, campaign: Campaign) -> str:
    return (
        f"It is listed with a q-value of {wording.probability(campaign.q_value)}"
        f" at a false-discovery rate of {wording.percent(run.facts.fdr)}."
    )


def _of_found_account(run: reading.Run, rows: Sequence[reading.AccountRow]) -> Explanation:
    in_campaign = [row for row in rows if row.verdict == "campaign"]
    by_id = {campaign.campaign_id: campaign for campaign in run.campaigns}
    campaigns = [by_id[row.campaign_id] for row in rows if row.campaign_id in by_id]
    groups = [group for campaign in campaigns for group in run.groups_of(campaign)]
    carrying = [row for row in rows if row.verdict == "watch" and _carries(run, row)]
    what = [_carrying(row) if row in carrying else _standing(row) for row in rows]
    what.append(wording.SUSPICION if in_campaign else "Watching calls for no measure.")
    why_not = [_outside(row) for row in in_campaign if row.campaign_events_count < row.events_count]
    for campaign in campaigns:
        why_not += [evidence_line(item) for item in wording.strongest(campaign.counter_evidence)]
    return Explanation(
        subject="account",
        ident=None,
        verdict="campaign" if in_campaign else "watch",
        what=tuple(what),
        why=(
            *([CARRIER] if carrying else []),
            *(
                (f"Campaign {wording.short(campaign.campaign_id)}: " if len(campaigns) > 1 else "")
                + evidence_line(item)
                for campaign in campaigns
                for item in wording.strongest(campaign.evidence)
            ),
        )
        or (NEAR_A_FINDING,),
        why_not=(*([OTHERS_WORK] if carrying else []), *why_not, *_blind_spots(run)),
        what_would_change=(
            *([LARGER_SHARE] if carrying else []),
            OUTSIDE_FACTS,
            *wording.would_change(groups),
        ),
    )


def _carries(run: reading.Run, row: reading.AccountRow) -> bool:
    return reading.carries(run.directory, row.account_id, row.campaign_id)


def _carrying(row: reading.AccountRow) -> str:
    campaign = "a campaign" if row.campaign_id is None else f"campaign {wording.short(row.campaign_id)}"
    return (
        f"The account is under watch as a carrier of {campaign}: {wording.count(row.campaign_events_count)} of its"
        f" {wording.counted(row.events_count, 'call')}"
        f" ({wording.percent(row.campaign_events_count / max(1, row.events_count))}) belong to it and are listed among"
        " its calls. The account is not named."
    )


def _standing(row: reading.AccountRow) -> str:
    campaign = "a campaign" if row.campaign_id is None else f"campaign {wording.short(row.campaign_id)}"
    share = (
        f"{wording.count(row.campaign_events_count)} of its {wording.counted(row.events_count, 'call')}"
        f" ({wording.percent(row.campaign_events_count / max(1, row.events_count))})"
    )
    if row.verdict == "watch":
        return f"The account is under watch near {campaign}: {share} fit it, too few to stand on their own."
    membership = "" if row.membership is None else f" with membership {row.membership:.2f} of 1"
    return f"The account is listed in {campaign}{membership}: {share} belong to it."


def _outside(row: reading.AccountRow) -> str:
    outside = row.events_count - row.campaign_events_count
    return (
        f"{wording.counted(outside, 'call')} of the account lie outside the campaign and count for nothing;"
        " it may serve several people, only some of whom take part."
    )


def _of_fitting_account(run: reading.Run, fitted: Sequence[tuple[Group, int]]) -> Explanation:
    tested = [(group, n) for group, n in fitted if reading.was_tested(group)]
    rest = [(group, n) for group, n in fitted if not reading.was_tested(group)]
    told = tested[:GROUPS_MAX]
    what = ["The account is neither listed nor under watch.", _fit(len(tested), len(rest))]
    if len(tested) > len(told):
        what.append(f"The {len(told)} tested ones with most of its calls are told here.")
    why = [f"{_calls_in(group, n)}: {_why_unlisted(group, bool(run.exemptions))}" for group, n in told]
    if rest:
        group, n = rest[0]
        most = f"{_calls_in(group, n)}, the most of any that was not tested" if len(rest) > 1 else _calls_in(group, n)
        why.append(f"{most}: {wording.sentence(group.reason)}")
    against = [
        f"Family {wording.short(group.group_id)}: {evidence_line(item)}"
        for group, _ in told
        for item in wording.strongest(group.evidence)
        if item.signal != "template-reuse"  # it says how large the family is, which is no suspicion
    ]
    return Explanation(
        subject="account",
        ident=None,
        verdict="not-listed" if tested else "not-tested",
        what=tuple(what),
        why=tuple(why),
        why_not=(*(against or [NOTHING_FOR_IT]), *_blind_spots(run)),
        what_would_change=tuple(wording.would_change([group for group, _ in [*told, *rest[:1]]])),
    )


def _fit(tested: int, rest: int) -> str:
    if not tested:
        return f"Its calls fit {wording.families(rest)} that had no reason to be tested."
    more = f", and {wording.count(rest)} more that had no reason to be" if rest else ""
    return f"Its calls fit {wording.families(tested)} that {'was' if tested == 1 else 'were'} tested{more}."


def _calls_in(group: Group, n: int) -> str:
    outcome = wording.OUTCOMES[group.outcome].lower()
    return f"{wording.counted(n, 'call')} in family {wording.short(group.group_id)} ({outcome})"


def _why_unlisted(group: Group, granted: bool) -> str:
    if group.outcome == "extraction-campaign" and granted:
        return "The family is of a campaign, yet this account's own calls do not carry it, or a grant covers them."
    if group.outcome == "extraction-campaign":
        return "The family is of a campaign, yet this account's own calls do not carry it."
    return wording.sentence(group.reason)


def _of_untested_account(run: reading.Run) -> Explanation:
    return Explanation(
        subject="account",
        ident=None,
        verdict="not-tested",
        what=(
            "No call of an account with this name was in a tested family.",
            "A run keeps no list of all accounts, so a name that is not in the log looks the same.",
        ),
        why=(NO_FAMILY,),
        why_not=(
            "Not tested is not the same as cleared: nothing was concluded about the account.",
            *_blind_spots(run),
        ),
        what_would_change=(OTHER_KEY,),
    )


def _reasons(groups: Sequence[Group]) -> list[str]:
    return [
        f"Family {wording.short(group.group_id)}, {wording.counted(group.events_count, 'call')}:"
        f" {wording.sentence(group.reason)}"
        for group in groups
        if group.reason
    ]


def _blind_spots(run: reading.Run) -> list[str]:
    skipped = [f"{signal.ident} could not run: {signal.reason}" for signal in run.skipped()]
    lost = [f"The log had losses: {wording.loss_line(name, n)}." for name, n in reading.losses_of(run.facts).items()]
    return [*skipped, *lost]

"""The words and figures that every form of the report shares."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime

from stillwatch.finding import Campaign, Evidence, Group
from stillwatch.report.reading import Exempted, Facts, Online

IDENT_CHARS = 14
"""Shown characters of a campaign's or family's name: its letter and 48 bits, which never meet by chance in one run."""

OUTCOMES = {
    "extraction-campaign": "Extraction campaign",
    "common-control": "Common control, no extraction",
    "shared-template": "Shared template",
    "common-task": "Common task",
    "undecided": "Undecided",
}

OUTCOME_MEANINGS = {
    "extraction-campaign": "The accounts work as one and draw out what a model could be trained on.",
    "common-control": "One hand runs the accounts, and nothing shows extraction: a company or a reseller.",
    "shared-template": "Strangers who each use one public template in their own way.",
    "common-task": "Accounts that repeat one another's questions: a class, an evaluation, a popular prompt.",
    "undecided": "Something is there, yet not enough to say what; a person may want to look.",
}

UNTESTED_MEANINGS = {
    "common-control": "One owner's accounts, who can be asked.",
    "shared-template": "Too few calls for a test, or no reason for one.",
    "common-task": "Few texts sent by many accounts: something that went round.",
    "undecided": "They ask for training material, in too few calls for a test.",
}
"""Why families are not tested; what is not tested is never an extraction campaign."""

FAMILIES = {
    "content": "what is asked",
    "dispatch": "how the work is spread",
    "infrastructure": "what it travels over",
    "lifecycle": "how the accounts came to be",
    "intent": "what it is for",
    "provenance": "whose reasoning it carries on",
}

LOSSES = {
    "sampled": "other calls had been dropped by the log's writer",
    "truncated": "a text had been cut",
    "masked": "an identifier had been blurred",
}

TECHNIQUES = {
    "AML.T0002.000": "Acquire Public AI Artifacts: Datasets",
    "AML.T0005": "Create Proxy AI Model",
    "AML.T0008": "Acquire Infrastructure",
    "AML.T0008.005": "Acquire Infrastructure: AI Service Proxies",
    "AML.T0012": "Valid Accounts",
    "AML.T0014": "Discover AI Model Family",
    "AML.T0015": "Evade AI Model",
    "AML.T0021": "Establish Accounts",
    "AML.T0024": "Exfiltration via AI Inference API",
    "AML.T0024.002": "Exfiltration via AI Inference API: Extract AI Model",
    "AML.T0034": "Cost Harvesting",
    "AML.T0035": "AI Artifact Collection",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0042": "Verify Attack",
    "AML.T0043": "Craft Adversarial Data",
    "AML.T0046": "Spamming AI System with Chaff Data",
    "AML.T0047": "AI-Enabled Product or Service",
    "AML.T0048.004": "External Harms: AI Intellectual Property Theft",
    "AML.T0051": "LLM Prompt Injection",
    "AML.T0051.000": "LLM Prompt Injection: Direct",
    "AML.T0054": "LLM Jailbreak",
    "AML.T0055": "Unsecured Credentials",
    "AML.T0057": "LLM Data Leakage",
    "AML.T0063": "Discover AI Model Outputs",
    "AML.T0065": "LLM Prompt Crafting",
    "AML.T0068": "LLM Prompt Obfuscation",
    "AML.T0073": "Impersonation",
    "AML.T0074": "Masquerading",
    "AML.T0085": "Data from AI Services",
    "AML.CS0030": "Case study: LLM Jacking",
    "AML.CS0056": "Case study: Model Distillation Campaigns Targeting Anthropic Claude",
}
"""Names in MITRE ATLAS, data release 5.6."""

SUSPICION = (
    "A finding is a suspicion, not a verdict. It says that calls behave as one piece of work, not who is"
    " behind them or why. A person must look before anyone is named, limited or closed."
)

UNSEEN = (
    "It does not mean that there is none: a campaign stays unseen where it is too small for the tests,"
    " repeats no structure in its prompts, or shows only to a signal that could not run."
)

_SMALL = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def headline(campaigns_count: int) -> str:
    """Say in one line what the run found."""
    if campaigns_count == 0:
        return "No campaign found"
    number = _SMALL[campaigns_count] if campaigns_count < len(_SMALL) else count(campaigns_count)
    return f"{number} suspected {'campaign' if campaigns_count == 1 else 'campaigns'}"


def certainty(facts: Facts) -> str:
    """Say what the false-discovery rate promises, and what it does not."""
    if facts.online is not None:
        return (
            f"The list is drawn at a false-discovery rate of {percent(facts.fdr)} for the whole stream, of which this"
            f" is window {count(facts.online.windows_count)}: of all families that it has named, on average at most"
            f" {percent(facts.fdr)} are expected to be mistakes, as long as honest work in the log is like that of the"
            " calibration."
        )
    return (
        f"The list is drawn at a false-discovery rate of {percent(facts.fdr)}: over many such runs, on"
        f" average at most {percent(facts.fdr)} of the listed campaigns are expected to be mistakes, as long as"
        " honest work in the log is like that of the calibration."
    )


def counted(n: int, noun: str) -> str:
    """Write a number with its noun in the right form."""
    return f"{count(n)} {noun if n == 1 else noun + 's'}"


def families(n: int) -> str:
    """Write a number of families."""
    return f"{count(n)} {'family' if n == 1 else 'families'}"


def count(n: int) -> str:
    """Write a whole number with thousands parted."""
    return f"{n:,}"


def compact(n: int) -> str:
    """Write a large number with two or three significant digits."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if n >= limit:
            scaled = n / (1e3 if unit == "k" else limit)
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.1f} {unit}"
    return count(n)


def percent(share: float) -> str:
    """Write a share of one as a percentage, without digits that say nothing."""
    value = 100 * share
    if value and value < 0.1:
        return f"{value:.1g} %"
    return f"{value:.0f} %" if value == round(value) or value >= 10 else f"{value:.1f} %"


def figure(value: float) -> str:
    """Write an evidence value in at most four significant digits."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if value == int(value) and abs(value) < 1e6:
        return count(int(value))
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return probability(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def probability(p: float | None) -> str:
    """Write a p- or q-value for plain text; an underflow is a bound, never zero."""
    if p is None:
        return "–"
    if p < 1e-300:
        return "< 1e-300"
    if p >= 0.001 and p < 1e6:
        return f"{p:.2g}"
    mantissa, exponent = f"{p:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def equal_to(text: str) -> str:
    """Write what follows a letter: ` = 0.004`, ` < 1e-300`."""
    return f" {text}" if text.startswith("<") else f" = {text}"


def moment(rfc3339: str | None) -> str:
    """Write a time for a reader: day, month, year, hour and minute in UTC."""
    if rfc3339 is None:
        return "–"
    time = datetime.fromisoformat(rfc3339)
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def duration(start: str, end: str) -> str:
    """Write how long something lasted, in the unit that a reader would use."""
    hours = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 3600
    if hours < 2:
        return counted(max(1, round(hours * 60)), "minute")
    return f"{round(hours)} hours" if hours < 72 else f"{round(hours / 24)} days"


def printable(text: str) -> str:
    """Replace control and direction marks, which could forge a line on a page or a terminal."""
    return "".join("�" if unicodedata.category(character)[0] == "C" else character for character in text)


def short(campaign_id: str) -> str:
    """Shorten the name of a campaign or family for display."""
    return printable(campaign_id)[:IDENT_CHARS]


def sentence(text: str) -> str:
    """Write a statement as a sentence of its own."""
    shown = printable(text)
    return shown[:1].upper() + shown[1:] + ("" if shown.endswith((".", "!", "?")) else ".")


def loss_line(name: str, calls_count: int) -> str:
    """Say what the log's writer took away, and in how many calls."""
    return f"{LOSSES.get(name, printable(name))} in {counted(calls_count, 'call')}"


def joined(parts: list[str]) -> str:
    """Write a list as a person would: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def strongest(evidence: tuple[Evidence, ...]) -> list[Evidence]:
    """Order evidence by its p-value, then by its figure; statements without a null model come last."""
    return sorted(
        evidence,
        key=lambda item: (2.0 if item.p_value is None else item.p_value, -item.value, item.signal),
    )


def by_kind(evidence: tuple[Evidence, ...]) -> list[tuple[str, list[Evidence]]]:
    """Gather evidence by its independent kind, the kind with the strongest statement first."""
    kinds: dict[str, list[Evidence]] = {}
    for item in strongest(evidence):
        kinds.setdefault(FAMILIES[item.family], []).append(item)
    return list(kinds.items())


def families_of(evidence: tuple[Evidence, ...]) -> list[str]:
    """Name the independent kinds of evidence that are present."""
    present = {item.family for item in evidence}
    return [words for family, words in FAMILIES.items() if family in present]


def summary_of(campaign: Campaign) -> str:
    """Tell one campaign in a paragraph."""
    own = campaign.events_count - campaign.carried_events_count
    asked = f", and ask for {joined([printable(c) for c in campaign.capabilities])}"
    kinds = families_of(campaign.evidence)
    accounts = campaign.accounts_count or campaign.carriers_count
    each = f"{figure(own / campaign.accounts_count)} calls per account and " if campaign.accounts_count else ""
    told = (
        f"{counted(accounts, 'account')} made {counted(own or campaign.events_count, 'call')} within"
        f" {duration(campaign.first_seen, campaign.last_seen)} that behave as one piece of work"
        f"{asked if campaign.capabilities else ''}. That is {each}{count(campaign.output_tokens)} output tokens in all."
    )
    told = " ".join([told, *([carried(campaign)] if campaign.carriers_count else [])])
    kinds_count = f"{len(kinds)} independent kinds" if len(kinds) > 1 else "one kind"
    return f"{told} The evidence is of {kinds_count}: {joined(kinds)}." if kinds else told


def carried(campaign: Campaign) -> str:
    """Say which of a campaign's calls went through accounts that mostly serve others."""
    standing = "it is under watch as a carrier" if campaign.carriers_count == 1 else "they are under watch as carriers"
    return (
        f"{counted(campaign.carried_events_count, 'call')} went through {counted(campaign.carriers_count, 'account')}"
        f" whose {count(campaign.collateral_events_count)} other calls are no part of it: {standing}, not named."
    )


def stream_line(online: Online) -> str:
    """Say how far a stream of windows is, and what it can still ask."""
    over = f"; {families(online.passed_over)} passed over, since its budget was spent" if online.passed_over else ""
    return (
        f"window {count(online.windows_count)}; {families(online.named_count)} named so far;"
        f" {count(online.asks_left)} more coordinated ones can be asked about extraction{over}"
    )


def exemption_line(exempted: Exempted) -> str:
    """Say what became of a campaign under grants."""
    became = {
        "exempted": f"exempted, {counted(exempted.exempted_accounts_count, 'account')}",
        "reduced": f"reduced by {counted(exempted.exempted_accounts_count, 'account')},"
        f" {count(exempted.remaining_accounts_count)} remain",
        "stands": "stands",
    }
    audits = "; ".join(printable(audit.statement) for audit in exempted.grants)
    return f"{short(exempted.campaign_id)} {became[exempted.status]}: {audits}"


def would_change(groups: list[Group]) -> list[str]:
    """List what would turn the verdict, each sentence once."""
    return list(dict.fromkeys(sentence(group.would_change) for group in groups if group.would_change))

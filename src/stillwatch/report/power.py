"""What a run could have found and what it could not, in words."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.finding import Reach
from stillwatch.report import wording

CLASSES = {
    "queue-of-four-passes": "One list of work, each item answered four times, by unequally busy accounts",
    "queue-run-again-on-another-model": "One list of work, run again on a second model",
    "least-loaded-pool": "Work shared out evenly over accounts, no item twice",
    "swarm-of-two-calls": "Two calls an account, nothing shared, signed up like everybody",
    "shared-cards-or-devices": "Accounts that share rare cards, addresses or devices",
    "sign-up-burst": "Accounts made within one day",
    "organic-relay": "A relay that passes on its own users' requests",
    "bought-transcripts": "Transcripts bought from others",
    "shell-company-front": "A campaign inside one organisation that fronts for another",
    "rewritten-prompts": "Prompts rewritten one by one, with no words left in common",
}

SAID = (
    "Sizes are of campaigns whose every call asks for verbatim reasoning, drawn by simulation and put to this run's own"
    " tests and thresholds, one besides those that were found. A campaign that asks for less, or mixes with other work,"
    " must be larger."
)


def seen(reaches: Sequence[Reach]) -> list[Reach]:
    """Give the classes that the run would have found, the smallest campaigns first."""
    found = [reach for reach in reaches if not reach.reason_blind]
    return sorted(found, key=lambda reach: (reach.calls_half or 0, reach.campaign_class))


def unseen(reaches: Sequence[Reach]) -> list[Reach]:
    """Give the classes that it would not, in the run's order."""
    return [reach for reach in reaches if reach.reason_blind]


def name(reach: Reach) -> str:
    """Say what a class of campaigns does."""
    return CLASSES.get(reach.campaign_class, wording.printable(reach.campaign_class))


def lines(reaches: Sequence[Reach]) -> dict[str, list[str]]:
    """Write it for a terminal: what would have been found, and what not, a line for each class."""
    return {
        "Smallest campaigns it would have found": [f"{name(reach)}: {_sizes(reach)}" for reach in seen(reaches)],
        "Campaigns it would not have found": [
            f"{name(reach)}: {wording.printable(reach.reason_blind)}" for reach in unseen(reaches)
        ],
    }


def _sizes(reach: Reach) -> str:
    half = f"{wording.count(reach.accounts_half or 0)} accounts, {wording.count(reach.calls_half or 0)} calls"
    if reach.accounts_most is None or reach.calls_most is None:
        return f"{half} (one in two); no size tried is found surely"
    return f"{half} (one in two); {wording.count(reach.accounts_most)}, {wording.count(reach.calls_most)} (19 in 20)"

"""How well a run did, measured against the world's truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.stats import beta

from stillwatch.errors import Error

FOUND_PURITY_MIN = 0.5
"""A reported campaign counts as a hidden one when most of its accounts belong to that one."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class CampaignScore:
    """One hidden campaign: how much of it was named, and how clean the reports about it are.

    `accounts_count` counts those that called: who never did could not have been named.
    `calls_recall` counts the campaign's own calls among all that were reported as some campaign's.
    One of which slices alone are reported, and no account named, is found where most of the calls reported are its own.
    `purity` is the share of its own accounts in the reported campaigns that are mostly it, and `collateral_count` the
    honest accounts in them.
    """

    campaign: str
    found: bool
    accounts_count: int
    accounts_recall: float
    calls_count: int
    calls_recall: float
    purity: float
    collateral_count: int
    reported_as: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of honest accounts that called: how many were named as a campaign's, and at most how many could be.

    `upper_bound` is the exact one-sided 95 % bound on the share (Clopper and Pearson 1934).
    """

    name: str
    accounts_count: int
    named_count: int
    watched_count: int
    named_share: float
    upper_bound: float


@dataclass(frozen=True, slots=True)
class Score:
    """A run's result. `b_cubed_f` is over accounts of hidden or reported campaigns.

    `false_count` of the `reported_count` campaigns are mostly honest accounts, or honest calls where only slices are
    reported: false discoveries.
    `collateral_calls_count` calls were reported as a campaign's and are no campaign's.
    """

    campaigns: tuple[CampaignScore, ...]
    classes: tuple[ClassScore, ...]
    honest: ClassScore
    reported_count: int
    false_count: int
    collateral_calls_count: int
    accounts_precision: float
    calls_precision: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f: float

    def text(self) -> str:
        """Return the score as a table for a person."""
        lines = ["hidden campaign        accounts  named   calls  named  purity"]
        lines += [
            f"{one.campaign:<22}{one.accounts_count:>9,}{one.accounts_recall:>7.1%}{one.calls_count:>8,}"
            f"{one.calls_recall:>7.1%}{one.purity:>8.1%}" + ("" if one.found else "  not found")
            for one in self.campaigns
        ]
        lines += ["", "honest class           accounts  named  at most (95 %)"]
        lines += [
            f"{each.name:<22}{each.accounts_count:>9,}{each.named_count:>7,}{each.upper_bound:>16.3%}"
            for each in (*self.classes, self.honest)
        ]
        return "\n".join(lines)


def score(run_dir: Path, truth_dir: Path) -> Score:
    """Compare what a run wrote with the truth of the world that it read.

    Raises:  Error("no-truth") where either folder lacks its files.
    """
    truth = who_called(truth_dir)
    calls = _read(truth_dir / "calls.parquet", ["event_id", "campaign"])
    named = _read(run_dir / "accounts.parquet", ["account_id", "verdict"])
    exchanges = _read(run_dir / "exchanges.parquet", ["event_id", "campaign_id"])
    verdict = dict(zip(named["account_id"].to_pylist(), named["verdict"].to_pylist(), strict=True))
    reported, hidden = reported_accounts(run_dir), hidden_accounts(truth)
    told = pc.unique(exchanges["event_id"])
    slices = _slices(exchanges, calls, set(reported.values()))
    classes = _classes(truth, verdict)
    precision, recall = b_cubed(hidden, reported)
    right = sum(account in hidden for account in reported)
    own_calls = int(pc.sum(pc.is_in(told, value_set=calls["event_id"].combine_chunks())).as_py() or 0)
    return Score(
        campaigns=_campaigns(hidden, reported, calls, told, set(slices.values())),
        classes=classes,
        honest=_class_score(
            "all honest",
            sum(one.accounts_count for one in classes),
            sum(one.named_count for one in classes),
            sum(one.watched_count for one in classes),
        ),
        reported_count=len(set(reported.values())) + len(slices),
        false_count=_false(hidden, reported) + sum(campaign is None for campaign in slices.values()),
        collateral_calls_count=len(told) - own_calls,
        accounts_precision=right / len(reported) if reported else 1.0,
        calls_precision=own_calls / len(told) if len(told) else 1.0,
        b_cubed_precision=precision,
        b_cubed_recall=recall,
        b_cubed_f=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


def who_called(truth_dir: Path) -> pa.Table:
    """Return class, group and campaign of every account that made a call.

    Raises:  Error("no-truth").
    """
    truth = _read(truth_dir / "accounts.parquet", ["account_id", "class", "campaign"])
    callers = _read(truth_dir / "callers.parquet", ["account_id"])
    return truth.filter(pc.is_in(truth["account_id"], value_set=callers["account_id"].combine_chunks()))


def hidden_accounts(truth: pa.Table) -> dict[str, str]:
    """Return the campaign of each account that works for one."""
    pairs = zip(truth["account_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True)
    return {account: campaign for account, campaign in pairs if campaign is not None}


def reported_accounts(run_dir: Path) -> dict[str, str]:
    """Return the reported campaign of each account that a run names.

    Raises:  Error("no-truth").
    """
    named = _read(run_dir / "accounts.parquet", ["account_id", "campaign_id", "verdict"])
    named = named.filter(pc.equal(named["verdict"], "campaign"))
    return dict(zip(named["account_id"].to_pylist(), named["campaign_id"].to_pylist(), strict=True))


def reported_slices(run_dir: Path) -> dict[str, set[str]]:
    """Return the calls of each reported campaign of which a run names no account.

    Raises:  Error("no-truth").
    """
    exchanges = _read(run_dir / "exchanges.parquet", ["event_id", "campaign_id"])
    only = _nameless(exchanges, set(reported_accounts(run_dir).values()))
    found: dict[str, set[str]] = {}
    for event, ident in zip(only["event_id"].to_pylist(), only["campaign_id"].to_pylist(), strict=True):
        found.setdefault(ident, set()).add(event)
    return found


def upper_bound(named_count: int, accounts_count: int) -> float:
    """Return the exact one-sided upper bound on a share of which `named_count` were seen.

    Source:  Clopper and Pearson 1934, "The use of confidence or fiducial limits".
    """
    if named_count >= accounts_count:
        return 1.0
    return float(beta.ppf(CONFIDENCE, named_count + 1, accounts_count - named_count))


def b_cubed(hidden: Mapping[str, str], reported: Mapping[str, str]) -> tuple[float, float]:
    """Return B-cubed precision and recall over the accounts that either side puts in a campaign.

    An account that one side leaves out is there a cluster of its own.
    Source:  Bagga and Baldwin 1998, "Algorithms for scoring coreference chains".
    """
    accounts = hidden.keys() | reported.keys()
    if not accounts:
        return 1.0, 1.0
    true_size: dict[str, int] = {}
    told_size: dict[str, int] = {}
    both_size: dict[tuple[str, str], int] = {}
    for account in accounts:
        mine = hidden.get(account, f"alone {account}")
        theirs = reported.get(account, f"alone {account}")
        true_size[mine] = true_size.get(mine, 0) + 1
        told_size[theirs] = told_size.get(theirs, 0) + 1
        both_size[mine, theirs] = both_size.get((mine, theirs), 0) + 1
    precision = sum(size * size / told_size[theirs] for (_, theirs), size in both_size.items())
    recall = sum(size * size / true_size[mine] for (mine, _), size in both_size.items())
    return precision / len(accounts), recall / len(accounts)


def _campaigns(
    hidden: Mapping[str, str],
    reported: Mapping[str, str],
    calls: pa.Table,
    told: pa.Array,
    sliced: AbstractSet[str | None],
) -> tuple[CampaignScore, ...]:
    members: dict[str, dict[str, int]] = {}
    honest = Counter(identifier for account, identifier in reported.items() if account not in hidden)
    sizes: dict[str, int] = {}
    for account, identifier in reported.items():
        sizes[identifier] = sizes.get(identifier, 0) + 1
        if account in hidden:
            of = members.setdefault(hidden[account], {})
            of[identifier] = of.get(identifier, 0) + 1
    scores = []
    for name in sorted(set(hidden.values())):
        accounts = sum(campaign == name for campaign in hidden.values())
        parts = members.get(name, {})
        mostly = [i for i, count in parts.items() if count > FOUND_PURITY_MIN * sizes[i]]
        own = calls.filter(pc.equal(calls["campaign"], name))["event_id"]
        seen = int(pc.sum(pc.is_in(own, value_set=told)).as_py() or 0)
        total = sum(sizes[i] for i in mostly)
        scores.append(
            CampaignScore(
                campaign=name,
                found=bool(mostly) or name in sliced,
                accounts_count=accounts,
                accounts_recall=sum(parts.values()) / accounts,
                calls_count=len(own),
                calls_recall=seen / len(own) if len(own) else 0.0,
                purity=sum(parts[i] for i in mostly) / total if total else 0.0,
                collateral_count=sum(honest[i] for i in mostly),
                reported_as=tuple(sorted(parts)),
            )
        )
    return tuple(scores)


def _nameless(exchanges: pa.Table, naming: AbstractSet[str]) -> pa.Table:
    known = pc.is_in(exchanges["campaign_id"], value_set=pa.array(sorted(naming), pa.string()))
    return exchanges.filter(pc.invert(known))


def _slices(exchanges: pa.Table, calls: pa.Table, naming: AbstractSet[str]) -> dict[str, str | None]:
    """Return, for each report that lists calls and names no account, whose campaign's most of them are, if any's."""
    only = _nameless(exchanges, naming)
    place = pc.index_in(only["event_id"], value_set=calls["event_id"].combine_chunks())
    whose: dict[str, Counter[str | None]] = {}
    for ident, campaign in zip(only["campaign_id"].to_pylist(), calls["campaign"].take(place).to_pylist(), strict=True):
        whose.setdefault(ident, Counter())[campaign] += 1
    most = {ident: max(count.items(), key=lambda item: item[1]) for ident, count in whose.items()}
    return {
        ident: name if seen > FOUND_PURITY_MIN * whose[ident].total() else None for ident, (name, seen) in most.items()
    }


def _false(hidden: Mapping[str, str], reported: Mapping[str, str]) -> int:
    """Return how many reported campaigns are mostly honest accounts."""
    size = Counter(reported.values())
    right = Counter(identifier for account, identifier in reported.items() if account in hidden)
    return sum(right[identifier] < FOUND_PURITY_MIN * count for identifier, count in size.items())


def _classes(truth: pa.Table, verdict: Mapping[str, str]) -> tuple[ClassScore, ...]:
    counts: dict[str, list[int]] = {}
    columns = (truth[name].to_pylist() for name in ("account_id", "class", "campaign"))
    for account, name, campaign in zip(*columns, strict=True):
        if campaign is None:
            count = counts.setdefault(name, [0, 0, 0])
            count[0] += 1
            count[1] += verdict.get(account) == "campaign"
            count[2] += verdict.get(account) == "watch"
    return tuple(_class_score(name, *counts[name]) for name in sorted(counts))


def _class_score(name: str, accounts: int, named: int, watched: int) -> ClassScore:
    share = named / accounts if accounts else 0.0
    return ClassScore(name, accounts, named, watched, share, upper_bound(named, accounts))


def _read(path: Path, columns: list[str]) -> pa.Table:
    if not path.is_file():
        raise Error(
            "no-truth", f"{path.parent.name}/{path.name} is missing",
            hint="give the folder that detect wrote, and the truth folder that simulate wrote",
        )  # fmt: skip
    return pq.read_table(path, columns=columns)

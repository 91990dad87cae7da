"""All look-alike classes together, at the size of whatever hides among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stillwatch.lab.lookalikes.batch_job import BatchJob
from stillwatch.lab.lookalikes.benchmark_day import BenchmarkDay
from stillwatch.lab.lookalikes.ci_review import CiReview
from stillwatch.lab.lookalikes.classroom import Classroom
from stillwatch.lab.lookalikes.enterprise import Enterprise
from stillwatch.lab.lookalikes.evaluation import Evaluation
from stillwatch.lab.lookalikes.fallback_router import FallbackRouter
from stillwatch.lab.lookalikes.hackathon import Hackathon
from stillwatch.lab.lookalikes.harness import Harness
from stillwatch.lab.lookalikes.licensed import Licensed
from stillwatch.lab.lookalikes.metadata_gateway import MetadataGateway
from stillwatch.lab.lookalikes.public_judge import PublicJudge
from stillwatch.lab.lookalikes.quality_monitor import QualityMonitor
from stillwatch.lab.lookalikes.red_team import RedTeam
from stillwatch.lab.lookalikes.reseller import Reseller
from stillwatch.lab.lookalikes.session_balancer import SessionBalancer
from stillwatch.lab.lookalikes.shared_key import SharedKey
from stillwatch.lab.lookalikes.unknowing_relay import UnknowingRelay
from stillwatch.lab.lookalikes.viral import Viral
from stillwatch.lab.lookalikes.white_label import WhiteLabel

if TYPE_CHECKING:
    from stillwatch.lab.scenario import Spec


@dataclass(frozen=True, slots=True)
class _Class:
    """One class of the gallery: its share of the accounts, and how large one of its groups is at most.

    `sized` turns accounts and a number into a group. Groups of strangers have no largest size.
    """

    share: float
    largest: int
    sized: Callable[[int, int], Spec]


EVERYBODY = 1 << 40
"""A class of strangers is one group, however many they are."""


def _classes() -> tuple[_Class, ...]:
    return (
        _Class(0.14, EVERYBODY, lambda n, i: Harness("harness", n, 12.0, adopting=0.8)),
        _Class(0.06, 300, lambda n, i: Classroom(f"classroom-{i}", n, at_hour=8.0 + 1.5 * (i % 8))),
        _Class(0.04, 240, lambda n, i: Evaluation(f"evaluation-{i}", n, max(n // 12, 2), 60.0)),
        _Class(0.02, 60, lambda n, i: BatchJob(f"batch-job-{i}", n, 90.0)),
        _Class(0.02, 60, lambda n, i: BatchJob(f"judge-{i}", n, 60.0, judge=True)),
        _Class(0.02, 40, lambda n, i: Licensed(f"synthetic-data-{i}", n, 60.0, "synthetic-data")),
        _Class(0.02, 40, lambda n, i: Licensed(f"reasoning-audit-{i}", n, 40.0, "reasoning-audit")),
        _Class(0.04, 400, lambda n, i: Licensed(f"authorised-distillation-{i}", n, 50.0)),
        _Class(0.06, 500, lambda n, i: WhiteLabel(f"white-label-{i}", n, 30.0, own_keys=i % 2 == 0)),
        _Class(0.05, 500, lambda n, i: Enterprise(f"enterprise-{i}", n, 20.0)),
        _Class(0.07, 1_500, lambda n, i: Enterprise(f"university-{i}", n, 6.0, 6, campus=True)),
        _Class(0.004, 4, lambda n, i: Reseller(f"reseller-{i}", n, 500.0)),
        _Class(0.04, EVERYBODY, lambda n, i: FallbackRouter("fallback-router", n, 40.0)),
        _Class(0.02, 40, lambda n, i: QualityMonitor(f"quality-monitor-{i}", n, 72.0, max(n // 4, 1))),
        _Class(0.08, EVERYBODY, lambda n, i: CiReview("ci-review", n)),
        _Class(0.06, 600, lambda n, i: Hackathon(f"hackathon-{i}", n, 15.0)),
        _Class(0.01, EVERYBODY, lambda n, i: SharedKey("shared-key", n, 120.0)),
        _Class(0.05, EVERYBODY, lambda n, i: PublicJudge("public-judge", n)),
        _Class(0.016, EVERYBODY, lambda n, i: RedTeam("red-team", n, 60.0, max(n // 5, 1))),
        _Class(0.05, 1_000, lambda n, i: UnknowingRelay(f"unknowing-relay-{i}", n, 20.0)),
        _Class(0.06, EVERYBODY, lambda n, i: Viral("viral", n, 3.0, which=3)),
        _Class(0.02, 60, lambda n, i: MetadataGateway(f"metadata-gateway-{i}", n, 25.0)),
        _Class(0.05, EVERYBODY, lambda n, i: BenchmarkDay("benchmark-day", n, 15.0)),
        _Class(0.02, 16, lambda n, i: SessionBalancer(f"session-balancer-{i}", n, 40.0, gateway=i % 2 == 0)),
    )


def classes_count() -> int:
    """Return how many classes the gallery has; `gallery` takes some of them by number."""
    return len(_classes())


def gallery(accounts: int, days: float = 1.0, only: Sequence[int] = ()) -> tuple[Spec, ...]:
    """Return every class of look-alikes, about `accounts` accounts in all, each busy for `days` days.

    A class of strangers is one group that grows; a class of owners has more groups, each of a natural
    size. Their calls come to about 27 for each account and day. With `only` these classes alone, each larger.
    """
    every = _classes()
    classes = [every[number] for number in only] or every
    whole = sum(each.share for each in classes)
    groups: list[Spec] = []
    for each in classes:
        count = max(round(accounts * each.share / whole), 1)
        parts = -(-count // each.largest)
        sizes = [count // parts + (part < count % parts) for part in range(parts)]
        groups += [each.sized(size, number) for number, size in enumerate(sizes, start=1)]
    return tuple(_for_days(spec, days) for spec in groups)


def _for_days(spec: Any, days: float) -> Spec:
    grown: Spec = replace(spec, calls_each=spec.calls_each * days)
    return grown

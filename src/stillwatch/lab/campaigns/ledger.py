"""The published campaigns that a provider's own log can show, each with its figures and its habits.

Figures are the victims' own telemetry, unaudited, and the accused deny. What no report says is our
assumption and named in `assumed`; the wording of the prompts is ours. Campaigns that never touch the
provider (bought transcripts, a shell company's proxy) are absent: ingress cannot see them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stillwatch.lab.campaigns.harvest import LONG, Harvest, Rhythm, Task
from stillwatch.lab.campaigns.origins import MIXED, PRIVATE, SWARM, VIRTUAL, Failover, Origin
from stillwatch.lab.habits import CODING_TOOLS, DESK_TOOLS, REASONING_MODEL, RESEARCH_TOOLS
from stillwatch.lab.traffic import Profile
from stillwatch.lab.words.language import DATA, PHYSICS, SOFTWARE

FEB = "report of 23 Feb 2026"
SEP = "report of 10 Sep 2026"

REASONING = Profile(model=REASONING_MODEL, reasoning_level="high", max_tokens=16_384, output=(2_200.0, 0.7))
SIBLING = Profile(model="aurora-4-mini", max_tokens=16_384, output=(1_600.0, 0.6), refusal=0.12)
AGENTIC = Profile(tools=CODING_TOOLS, max_tokens=16_384, context=(8_000.0, 0.9), output=(700.0, 0.9), refusal=0.01)
AGENTIC_REASONING = Profile(
    model=REASONING_MODEL, reasoning_level="high", tools=CODING_TOOLS, max_tokens=16_384, context=(8_000.0, 0.9),
    output=(1_400.0, 0.8), refusal=0.01,
)  # fmt: skip
GRADING = Profile(temperature=0.0, max_tokens=2_048, output=(500.0, 0.5), refusal=0.01)
CHAT = Profile(stream=True, context=(60.0, 1.5), output=(300.0, 0.9))
PERCEPTION = Profile(max_tokens=4_096, context=(2_600.0, 0.5), output=(900.0, 0.5))

HARNESSES = ("relayed_tern", "relayed_otterpilot", "relayed_longshelf")
CODE_TOPICS = (SOFTWARE, SOFTWARE, DATA, PHYSICS)


@dataclass(frozen=True, slots=True)
class Published:
    """What a report states; 0 where it states nothing."""

    accounts: int
    exchanges: int
    days: int
    source: str
    assumed: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A campaign at its full size, and the size at which its scenario is usually run."""

    title: str
    published: Published
    campaign: Harvest
    scale: float
    days: int
    release_hour: float = 0.0


def _full(number: int | str, published: Published, accounts: int, days: int, tasks: tuple[Task, ...]) -> Harvest:
    return Harvest(f"ledger-c{number}", accounts, published.exchanges / accounts, days, tasks)


C2 = Published(0, 150_000, 0, FEB, "225 accounts (the three campaigns' 667 exchanges an account), 30 days")
C3 = Published(0, 3_400_000, 0, FEB, "800 accounts for hundreds, 60 days")
C4 = Published(0, 13_000_000, 0, FEB, "19,500 accounts (667 exchanges each), 60 days")
C5 = Published(0, 100_000, 0, "report of 12 Feb 2026", "200 accounts, 14 days")
C6 = Published(25_000, 28_800_000, 45, "letter of 10 Jun 2026", "origin of the accounts, sessions of twelve calls")
C7 = Published(8_500, 151_000_000, 92, SEP, "5,000 accounts of the first pool and 3,500 of the second; half-time ban")
C8 = Published(5_380, 23_000_000, 92, SEP, "a quarter of the calls replay")
C8B = Published(5_380, 300_000, 10, SEP, "40,000 end users")
C9 = Published(0, 12_100_000, 14, SEP, "3,000 accounts, 60,000 end users, a tenth of the calls replay")
C10 = Published(273, 3_400_000, 17, SEP, "cards and address blocks")
C11 = Published(1_500, 400_000, 20, SEP, "20,000 end users, half of them named")
C13 = Published(4_000, 16_000, 2, "report of 30 Sep 2026", "a tenth of the calls is harvested within the window")
C14 = Published(0, 100_000_000, 91, "report of 9 Sep 2026", "5,000 accounts for thousands, 91 days for a quarter")

_FETCH = Task("hv_repository", 0.75, AGENTIC_REASONING, CODE_TOPICS, turns=2.0, steps=4.0, follow="hv_onward",
              systems=("hv_repository_system",))  # fmt: skip
_READ_BACK = Task("hv_unseal_item", 0.25, SIBLING, presents=True)
_RELAYED = Task("relayed_work", 0.9, AGENTIC_REASONING, turns=3.0, steps=3.5, follow="relayed_work",
                systems=HARNESSES, end_users=60_000)  # fmt: skip

LEDGER: tuple[Entry, ...] = (
    Entry(
        "synchronised accounts with shared payment: reasoning, grading, rewriting", C2,
        replace(
            _full(2, C2, 225, 30, (
                Task("hv_hindsight", 0.45, topic_count=6), Task("hv_grade", 0.35, GRADING, topic_count=6),
                Task("hv_rewrite", 0.2, topic_count=3),
            )),
            origin=Origin(per_card=30.0, per_block=40.0), rhythm=Rhythm(ticks=48), lockstep=True,
        ), 1.0, 5,
    ),
    Entry(
        "hundreds of accounts of every type and path: tools, code, desktops, vision, later reasoning", C3,
        replace(
            _full(3, C3, 800, 60, (
                Task("hv_episode", 0.3, AGENTIC, topic_count=5),
                Task("hv_sheet", 0.25, LONG, (DATA, SOFTWARE)),
                Task("hv_desk", 0.2, Profile(tools=DESK_TOOLS, max_tokens=8_192, output=(600.0, 0.8))),
                Task("hv_percept", 0.1, PERCEPTION),
                Task("hv_hindsight", 0.15, LONG, window=(0.5, 1.0)),
            )),
            origin=MIXED, unevenness=0.4,
        ), 0.25, 2,
    ),
    Entry(
        "agentic coding; half of the traffic moves to a new model within a day", C4,
        replace(
            _full(4, C4, 19_500, 60, (
                Task("hv_repository", 0.6, AGENTIC, CODE_TOPICS, turns=1.5, steps=2.0, follow="hv_onward",
                     systems=("hv_repository_system",)),
                Task("hv_episode", 0.4, AGENTIC, CODE_TOPICS),
            )),
            origin=Origin(per_card=12.0, per_block=60.0, signup_days=10.0, waves=3), pivot=0.5, cover=0.2,
        ), 0.03, 3, 30.0,
    ),
    Entry(
        "one instruction that coerces the reasoning, over tasks of every topic", C5,
        replace(
            _full(5, C5, 200, 14, (Task("hv_coerce", 1.0, REASONING, topic_count=12),)),
            origin=Origin(per_card=8.0, per_block=15.0),
        ), 1.0, 4,
    ),
    Entry(
        "software engineering, agentic and long", C6,
        replace(
            _full(6, C6, 25_000, 45, (
                Task("hv_repository", 0.8, AGENTIC, CODE_TOPICS, turns=2.0, steps=6.0, follow="hv_onward",
                     systems=("hv_repository_system",)),
                Task("hv_episode", 0.2, AGENTIC, CODE_TOPICS),
            )),
            origin=Origin(per_card=10.0, per_block=80.0, signup_days=20.0, waves=4), unevenness=0.3,
        ), 0.02, 2,
    ),
    Entry(
        "one prompt injected into every request; a second pool takes over when the first is banned", C7,
        replace(
            _full(7, C7, 8_500, 92, (
                Task("hv_inject", 0.7, AGENTIC, CODE_TOPICS), Task("hv_inject", 0.3, LONG, topic_count=6),
            )),
            origin=VIRTUAL, rhythm=Rhythm(ramp=3.9), handover=Failover(first=5_000 / 8_500),
        ), 0.008, 2,
    ),
    Entry(
        "agentic harvest whose sealed reasoning is read back by other accounts", C8,
        replace(_full(8, C8, 5_380, 92, (_FETCH, _READ_BACK)), origin=VIRTUAL, replay_lag_hours=2.0), 0.05, 2,
    ),
    Entry(
        "a silent relay of customers' chats under another brand", C8B,
        replace(
            _full("8b", C8B, 5_380, 10, (
                Task("relayed_chat", 1.0, CHAT, turns=2.5, follow="follow_up", systems=("brand_0",), end_users=40_000),
            )),
            origin=VIRTUAL, rhythm=Rhythm(((7.0, 24.0, 0.9), (0.0, 7.0, 0.1))), unevenness=0.5,
        ), 0.15, 5,
    ),
    Entry(
        "requests of chosen coding harnesses relayed, and their reasoning read back", C9,
        replace(
            _full(9, C9, 3_000, 14, (_RELAYED, Task("hv_unseal_item", 0.1, SIBLING, presents=True))),
            origin=Origin(per_card=20.0, per_block=25.0), unevenness=0.4,
        ), 0.02, 2,
    ),
    Entry(
        "few heavy accounts: judging, and 23 % cleaning of chains of thought", C10,
        replace(
            _full(10, C10, 273, 17, (
                Task("hv_grade", 0.77, GRADING, topic_count=6), Task("hv_scrub", 0.23, LONG, topic_count=6),
            )),
            origin=Origin(per_card=9.0, per_block=30.0, signup_days=9.0), rhythm=Rhythm(((0.0, 24.0, 1.0),)),
        ), 0.15, 1,
    ),
    Entry(
        "a vendor's own users, their sessions replayed through public harnesses", C11,
        replace(
            _full(11, C11, 1_500, 20, (
                Task("relayed_work", 1.0, AGENTIC, turns=3.0, steps=3.0, follow="relayed_work",
                     systems=("relayed_otterpilot", "relayed_tern"), end_users=20_000, named=0.5),
            )),
            origin=Origin(per_card=25.0, per_block=50.0), unevenness=0.6,
        ), 0.3, 5,
    ),
    Entry(
        "two requests an account: protected reasoning replayed", C13,
        replace(
            _full(13, C13, 4_000, 2, (
                Task("hv_puzzle", 0.1, REASONING, topic_count=8),
                Task("hv_unseal", 0.9, SIBLING, topic_count=8, presents=True),
            )),
            origin=SWARM, band=(1, 3), replay_lag_hours=0.5,
        ), 1.0, 2,
    ),
    Entry(
        "stolen credentials, rotated over product channels: perception tasks", C14,
        replace(
            _full(14, C14, 5_000, 91, (
                Task("hv_percept", 0.8, PERCEPTION, topic_count=8, window=(0.35, 1.0)),
                Task("hv_reveal", 0.2, Profile(tools=RESEARCH_TOOLS, max_tokens=8_192, output=(1_200.0, 0.7)),
                     window=(0.35, 1.0)),
            )),
            origin=Origin(PRIVATE.styles, stolen=True), cover=0.06, roam=(0, 1, 2, 3, 4), unevenness=0.8,
            rhythm=Rhythm(((0.0, 24.0, 1.0),)),
        ), 0.01, 3,
    ),
)  # fmt: skip

"""Ways to use the API that honest accounts of every family choose from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.lab.traffic import HABIT, Ints, Kind, Profile, Records

MODELS = ("aurora-4", "aurora-4-mini", "aurora-4-deep", "aurora-3", "aurora-3-mini")
REASONING_MODEL = "aurora-4-deep"

CODING_TOOLS = ("read_file", "write_file", "run_command", "search", "todo")
RESEARCH_TOOLS = ("web_search", "open_page", "take_note")
DESK_TOOLS = ("screenshot", "click", "type_text", "scroll")

_CHAT = Profile(stream=True, context=(30.0, 1.6), output=(215.0, 0.9))
_SHORT = Profile(context=(300.0, 1.1), output=(51.0, 1.44))
"""Source: ServeGen m-large: output p50 51, p95 548; input p50 600, of which the text is a part."""
_DEEP = Profile(model=REASONING_MODEL, reasoning_level="medium", context=(120.0, 1.7), output=(844.0, 1.3))
"""Source: ServeGen R1 clients: output p50 844, p95 7207; input p50 260, p95 9870."""
_AGENT = Profile(stream=True, tools=CODING_TOOLS, context=(5_000.0, 1.0), output=(180.0, 1.1), max_tokens=8_192)
"""Source: Mooncake conversations, input p50 6,909; OpenRouter: programming prompts often beyond 20,000."""

CHATS = (
    *[_CHAT] * 6,
    replace(_CHAT, model="aurora-4-mini"),
    replace(_CHAT, model="aurora-3"),
    replace(_DEEP, stream=True),
)


def _asked_for(base: Profile) -> tuple[Profile, ...]:
    """Vary one profile as API callers do: models, temperatures, caps, formats."""
    temperatures = (None, None, 0.0, 0.2, 0.3, 0.7, 0.7, 1.0)
    caps = (None, 256, 512, 1_024, 1_024, 2_048, 4_096, 8_192)
    formats = (None, None, "text", "json_object", "json_schema")
    varied = [
        replace(
            base,
            model=MODELS[(3 * i) % len(MODELS)] if base.reasoning_level is None else base.model,
            temperature=temperatures[(5 * i + i // 8) % 8],
            max_tokens=caps[(3 * i + i // 5) % 8],
            response_format=formats[i % 5],
            stream=(None, True, False)[i % 3],
            top_p=(None, None, None, 0.95, 1.0)[(i // 3) % 5],
            choice_count=2 if i % 29 == 28 else None,
            logprobs=True if i % 23 == 22 else None,
        )
        for i in range(60)
    ]
    return tuple(varied)


API = _asked_for(_SHORT)
API_DEEP = _asked_for(_DEEP)
AGENTS = (*[_AGENT] * 3, *_asked_for(_AGENT)[:12])
EMBEDDED_AGENTS = _asked_for(replace(_AGENT, tools=("lookup_order", "open_ticket", "search_docs")))[:20]

HARNESS_RULES = (
    "harness_tern", "harness_otterpilot", "harness_longshelf", "harness_pocketdesk", "harness_graphloom",
)  # fmt: skip
HARNESS_TOOLS = (CODING_TOOLS, CODING_TOOLS, RESEARCH_TOOLS, DESK_TOOLS, ("update_state",))

CHAT = Kind(
    first=(*["free"] * 17, *["recipe"] * 4, "judge_public"), follow=("follow_up",), system=("platform_chat",),
    profiles=CHATS, turns=2.52,
)  # fmt: skip
FREE_API = Kind(first=(*["free"] * 9, "recipe"), profiles=(*API, *API_DEEP[:10]), turns=1.4, follow=("follow_up",))
RECIPES = Kind(first=("recipe", "recipe", "free", "judge_public"), profiles=API)
OWN_TEMPLATE = Kind(
    first=("private_prompt",), profiles=(*API, *API_DEEP[:12]),
    system=("", "", "", "quickstart_0", "quickstart_4"), sessions=False, own=True,
)  # fmt: skip
OWN_CATALOGUE = replace(OWN_TEMPLATE, catalogue=400)
OWN_TEMPLATES = replace(OWN_TEMPLATE, templates=6)
OWN_SYSTEM = Kind(first=("private_fill",), profiles=API, system=("private_system",), sessions=False, own=True)
QUICKSTART = Kind(
    first=("free",), follow=("follow_up",), profiles=API, turns=1.6,
    system=(
        "quickstart_0", "quickstart_0", "quickstart_1", "quickstart_3", "quickstart_5", "quickstart_6",
        "quickstart_7",
    ),
)  # fmt: skip
RETRIEVAL = Kind(first=("question", "question", "free_first"), profiles=API, system=("quickstart_2",), sessions=False)
PRODUCT_CHAT = Kind(
    first=("support_message",), follow=("follow_up", "support_message"), profiles=API,
    system=("product_system",), turns=2.0, end_users=3_000, own=True,
)  # fmt: skip
PRODUCT_AGENT = Kind(
    first=("agent_task", "support_message"), profiles=EMBEDDED_AGENTS, system=("product_system",), turns=1.5,
    steps=3.0, end_users=300, own=True,
)  # fmt: skip
OWN_JUDGE = Kind(first=("judge_rubric",), profiles=API, sessions=False, own=True)


def harness_kind(index: int) -> Kind:
    """Return the use of one public agent harness: its fixed prompt, the user's own work behind it."""
    tools = HARNESS_TOOLS[index]
    return Kind(
        first=("agent_task",), follow=("agent_task", "follow_up"), system=(HARNESS_RULES[index],),
        profiles=tuple(replace(p, tools=tools) for p in AGENTS), turns=3.0, steps=3.5,
    )  # fmt: skip


HARNESS_KINDS = tuple(harness_kind(index) for index in range(len(HARNESS_RULES)))


MACHINE_HOURS = 9.0
PEOPLE_HOURS = 6.0
"""Standard deviations of the hour at which an account's day begins: they make the daily curve's peak 1.4 to
2.2 times its trough for tenants, and below 5 for people (ServeGen: 1.4, 2.2 and, for reasoning, 4.9)."""


def habits(
    rng: np.random.Generator,
    count: int,
    median: float,
    sigma: float,
    calls: float | None = None,
    top: float = 0.16,
) -> Records:
    """Draw daily rhythms: log-normal rates around `median` calls, bursts and active hours as published.

    With `calls` the rates are scaled to that total, and no account has more than the share `top` of it.
    Source:  ServeGen: gap variation p25 1.45, p50 2.46, p75 6.5; active hours p50 6.2; top client 16 %.
    """
    drawn = np.zeros(count, HABIT)
    rate = rng.lognormal(np.log(median), sigma, count)
    if calls is not None:
        for _ in range(8):
            rate = np.minimum(rate * (calls / rate.sum()), max(top, 4.0 / count) * calls)
    drawn["rate"] = rate
    drawn["variation"] = np.clip(rng.lognormal(np.log(2.46), 0.9, count), 0.95, 16.0)
    drawn["hours"] = np.clip(rng.lognormal(np.log(6.2), 1.0, count), 0.7, 24.0)
    drawn["from_hour"] = rng.normal(9.0, MACHINE_HOURS, count) % 24.0
    return drawn


def of_people(rng: np.random.Generator, drawn: Records) -> Records:
    """Give the rhythms of people at a keyboard: a few waking hours, fewer bursts."""
    count = len(drawn)
    drawn["variation"] = np.clip(rng.lognormal(np.log(1.4), 0.4, count), 0.95, 8.0)
    drawn["hours"] = np.clip(rng.lognormal(np.log(5.0), 0.7, count), 0.5, 18.0)
    drawn["from_hour"] = rng.normal(12.5, PEOPLE_HOURS, count) % 24.0
    return drawn


def per_session(drawn: Records, kinds: tuple[Kind, ...], kind: Ints) -> Records:
    """Turn rates of calls into rates of sessions."""
    drawn["rate"] /= np.array([each.calls_each for each in kinds])[kind]
    return drawn

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaign.fusion import OWNERS_MIN
from stillwatch.campaign.screening import BUSY_ACCOUNTS_MIN, CALLS_MIN, INTENT_MIN, ITEMS_MIN, screen
from stillwatch.signals.extraction_intent import CLASS_WEIGHT
from stillwatch.trace import PHRASE_CLASSES, SIGNS

ENOUGH = {
    "calls": 3 * CALLS_MIN, "tested_calls": CALLS_MIN, "items": 10 * ITEMS_MIN,
    "busy_accounts": BUSY_ACCOUNTS_MIN, "reasoning-verbatim": 2 * CALLS_MIN, "owners": OWNERS_MIN,
    "account_calls": 100 * CALLS_MIN, "discovery_accounts": 20, "discovery_squares": 20 * (CALLS_MIN // 10) ** 2 * 9,
}  # fmt: skip


NAMES = (
    "calls", "tested_calls", "items", "busy_accounts", "owners", "account_calls", "discovery_accounts",
    "discovery_squares",
)  # fmt: skip


def screened(**changes: int) -> tuple[bool, float]:
    facts = ENOUGH | {key.replace("_verbatim", "-verbatim"): value for key, value in changes.items()}
    columns = {name: np.array([facts[name]]) for name in NAMES}
    columns |= {sign: np.array([facts.get(sign, 0)]) for sign in SIGNS}
    columns |= {f"class_{c}": np.array([facts.get(name, 0)]) for c, name in enumerate(PHRASE_CLASSES)}
    tested, intent = screen(columns, CLASS_WEIGHT)
    return bool(tested[0]), float(intent[0])


def test_a_family_that_asks_for_reasoning_is_tested() -> None:
    assert screened() == (True, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"calls": 2 * CALLS_MIN - 1},
        {"items": ITEMS_MIN - 1},
        {"busy_accounts": BUSY_ACCOUNTS_MIN - 1},
        {"owners": OWNERS_MIN - 1},
        {"reasoning_verbatim": int(0.9 * INTENT_MIN * 2 * CALLS_MIN)},
    ],
)
def test_too_few_calls_items_or_busy_accounts_or_too_little_intent_are_not(change: dict[str, int]) -> None:
    assert screened(**change)[0] is False


@pytest.mark.parametrize("sign", SIGNS)
def test_a_family_that_is_refused_or_replays_is_tested_whatever_its_words(sign: str) -> None:
    assert screened(reasoning_verbatim=0)[0] is False
    assert screened(reasoning_verbatim=0, **{sign: CALLS_MIN})[0] is True


def test_a_family_that_is_what_its_accounts_do_is_tested_whatever_its_words() -> None:
    assert screened(reasoning_verbatim=0, account_calls=9 * CALLS_MIN)[0] is True
    assert screened(reasoning_verbatim=0, account_calls=11 * CALLS_MIN)[0] is False


def test_a_family_that_is_spread_evenly_over_its_accounts_is_tested_whatever_its_words() -> None:
    each = 2 * CALLS_MIN // 20
    assert screened(reasoning_verbatim=0, discovery_squares=20 * each**2)[0] is True
    assert screened(reasoning_verbatim=0, discovery_squares=20 * 3 * each**2)[0] is False


def test_what_is_asked_in_the_tested_blocks_plays_no_part() -> None:
    assert screened(tested_calls=CALLS_MIN)[1] == screened(calls=5 * CALLS_MIN, tested_calls=3 * CALLS_MIN)[1]

"""What every baseline must do, and what each finds in a log whose answer is known."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.baselines import (
    co_action,
    dense_block,
    fellegi_sunter,
    indicators,
    mmd_account,
    mmd_pooled,
    prada,
    volume,
)
from stillwatch.lab.baselines.contract import ALONE, Baseline
from stillwatch.lab.baselines.registry import BASELINES
from tests.lab.baselines.logs import Written, clusters, least, most, scores

WORDS = [f"{first}{second}" for first in ("ba", "ko", "mi", "tu", "re", "sa") for second in ("l", "n", "r", "st", "x")]
HOUR = 3600.0


def prose(rng: random.Random, words: int = 14) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def crowd(folder: Path, seed: int, accounts: int = 60) -> Written:
    """Strangers: each with an address, a card and texts of its own."""
    rng, made = random.Random(seed), Written(folder)
    for number in range(accounts):
        name = f"stranger{number}"
        made.account(
            name,
            signup_ip=f"240.{number}.{number}.7",
            payment_digest=f"card{number}",
            email_domain=f"mail{number % 6}.example",
            signup_tls_fingerprint=f"client{number % 9}",
            created_at=f"2026-0{1 + number % 8}-{1 + number % 27:02}T00:00:00Z",
        )
        for _ in range(rng.randint(3, 12)):
            made.call(name, rng.uniform(0, 24 * HOUR), prose(rng))
    return made


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.IDENT)
def test_the_same_log_and_seed_give_the_same_scores_of_callers_only(baseline: Baseline, tmp_path: Path) -> None:
    made, honest = crowd(tmp_path / "log", 1), crowd(tmp_path / "honest", 2).log()
    made.account("never-called", signup_ip="240.1.1.7", payment_digest="card1")
    log = made.log()
    first, again = (baseline.suspect(log, honest, 3) for _ in range(2))
    assert scores(first) == scores(again)
    assert np.isfinite(first.score).all()
    assert set(scores(first)) <= {row["account_id"] for row in made.calls}


def test_every_baseline_says_where_it_comes_from_and_how_it_was_set() -> None:
    for baseline in BASELINES:
        said = str(baseline.__doc__)
        assert all(f"\n{label}:" in said for label in ("Source", "Parameters", "Cost")), baseline.IDENT
    assert len({baseline.IDENT for baseline in BASELINES}) == len(BASELINES)


def test_volume_names_the_busiest_first(tmp_path: Path) -> None:
    made = Written(tmp_path)
    for name, calls in (("busy", 30), ("usual", 5), ("rare", 1)):
        for at in range(calls):
            made.call(name, at * 60.0)
    # Forty calls over two days are twenty a day.
    for at in range(40):
        made.call("steady", at % 2 * 24 * HOUR + at)
    found = scores(volume.suspect(made.log(), made.log(), 0))
    assert found == {"busy": 30, "steady": 20, "usual": 5, "rare": 1}


def test_each_published_indicator_counts_once_and_volume_decides_between_equals(tmp_path: Path) -> None:
    rng, made = random.Random(0), Written(tmp_path)
    for hour in range(24):
        made.call("all", hour * HOUR, input_tokens=100)
        made.call("clock", hour * HOUR, input_tokens=rng.randint(10, 1000))
        made.call("busier", 9 * HOUR + hour, input_tokens=rng.randint(10, 1000))
        made.call("busier", 9 * HOUR + hour * 2, input_tokens=rng.randint(10, 1000))
        made.call("person", 9 * HOUR + hour, input_tokens=rng.randint(10, 1000))
    made.account("all", created_at="2026-09-14T22:00:00Z")
    made.call("short", 1.0, input_tokens=100)
    found = scores(indicators.suspect(made.log(), made.log(), 0))
    assert {name: int(score) for name, score in found.items()} == {
        "all": 3, "clock": 1, "busier": 0, "person": 0, "short": 0,
    }  # fmt: skip
    assert found["busier"] > found["person"] > found["short"]


def test_prada_finds_queries_that_are_stepped_from_one_seed_less_normal_than_free_ones(tmp_path: Path) -> None:
    rng, made = random.Random(5), Written(tmp_path)
    seed = prose(rng, 30).split()
    for at in range(120):
        made.call("free", at * 10.0, prose(rng, 30))
        # Synthetic queries: copies of a seed with one word changed, and a new seed now and then.
        if at % 40 == 0:
            seed = prose(rng, 30).split()
        made.call("stepped", at * 10.0, " ".join([*seed[:-1], rng.choice(WORDS)]))
        if at < 20:
            made.call("few", at * 10.0, prose(rng, 30))
    found = scores(prada.suspect(made.log(), made.log(), 0))
    assert found["stepped"] > 0.2 > found["free"]
    assert "few" not in found, "too few queries to be judged"


def test_mmd_by_account_finds_who_asks_for_something_else(tmp_path: Path) -> None:
    rng, honest = random.Random(7), crowd(tmp_path / "honest", 8, 80).log()
    made = crowd(tmp_path / "log", 9)
    for at in range(40):
        made.call("other", at * 60.0, f"grade the answer {rng.randint(0, 9)} against the rubric and reply with a score")
    found = scores(mmd_account.suspect(made.log(), honest, 0))
    assert found["other"] > 2 * most(found, [name for name in found if name != "other"])


def test_mmd_by_pool_sees_what_no_single_account_shows(tmp_path: Path) -> None:
    rng, honest = random.Random(7), crowd(tmp_path / "honest", 8, 80)
    made = crowd(tmp_path / "log", 9)
    for one in (honest, made):  # A few honest neighbours, so that there is something to compare with.
        for number in range(60):
            one.account(f"stranger{number}", payment_digest=f"card{number // 2}", signup_ip=f"240.{number}.{number}.7")
    pool = [f"pool{number}" for number in range(12)]
    for name in pool:
        made.account(name, payment_digest="one-card", signup_ip=f"250.{pool.index(name)}.0.1")
        for _ in range(3):
            made.call(
                name, rng.uniform(0, 24 * HOUR), f"grade answer {rng.randint(0, 9)} against the rubric and score it"
            )
    suspicion = mmd_pooled.suspect(made.log(), honest.log(), 0)
    found, of = scores(suspicion), clusters(suspicion)
    assert least(found, pool) > most(found, [name for name in found if name not in pool])
    assert len({of[name] for name in pool}) == 1
    assert of["pool0"] != ALONE
    assert not set(pool) & set(scores(mmd_account.suspect(made.log(), honest.log(), 0))), "too few calls each"


def test_co_action_joins_two_accounts_that_send_two_texts_within_a_minute(tmp_path: Path) -> None:
    made = Written(tmp_path)
    for at, text in enumerate(("Summarise the  first chapter", "Summarise the second chapter")):
        made.call("a", at * HOUR, text)
        made.call("b", at * HOUR + 59, text.lower())
        made.call("late", at * HOUR + 130, text)
    made.call("once", 20.0, "summarise the first chapter")
    suspicion = co_action.suspect(made.log(), made.log(), 0)
    found, of = scores(suspicion), clusters(suspicion)
    assert of["a"] == of["b"] != ALONE
    assert (int(found["a"]), int(found["b"]), int(found["once"])) == (2, 2, 1)
    assert of["once"] == ALONE
    assert "late" not in found


def test_co_action_does_not_see_a_template_with_filled_slots(tmp_path: Path) -> None:
    made = Written(tmp_path)
    for at in range(20):
        for number in range(5):
            made.call(f"account{number}", at * 60.0, f"solve exercise {at * 5 + number} and show every step")
    assert scores(co_action.suspect(made.log(), made.log(), 0)) == {}


def test_accounts_of_one_organisation_are_no_discovery(tmp_path: Path) -> None:
    made = crowd(tmp_path, 1)
    for number in range(10):
        name = f"seat{number}"
        made.account(name, organization_id="org", payment_digest="company-card", signup_ip="240.200.1.1")
        made.call(name, 60.0, "the very same text")
        made.call(name, 4 * HOUR, "another text that is the same")
    seats = {f"seat{number}" for number in range(10)}
    log = made.log()
    assert not seats & set(scores(co_action.suspect(log, log, 0)))
    linked = clusters(fellegi_sunter.suspect(log, log, 0))
    assert all(linked.get(name, ALONE) == ALONE for name in seats)


def test_fellegi_sunter_links_accounts_that_share_a_rare_card(tmp_path: Path) -> None:
    made = crowd(tmp_path, 4, 200)
    ring = [f"ring{number}" for number in range(8)]
    for number, name in enumerate(ring):
        made.account(
            name, payment_digest="one-card", signup_ip=f"250.9.9.{number}", email_domain="mail1.example",
            signup_tls_fingerprint="client3", created_at=f"2026-03-05T0{number}:00:00Z",
        )  # fmt: skip
        made.call(name, 60.0)
    suspicion = fellegi_sunter.suspect(made.log(), made.log(), 0)
    found, of = scores(suspicion), clusters(suspicion)
    assert len({of[name] for name in ring}) == 1
    assert of["ring0"] != ALONE
    assert least(found, ring) > most(found, [name for name in found if name not in ring])


def test_a_common_mail_domain_links_nobody(tmp_path: Path) -> None:
    made = crowd(tmp_path, 4, 200)
    of = clusters(fellegi_sunter.suspect(made.log(), made.log(), 0))
    assert all(cluster == ALONE for cluster in of.values())


def test_dense_block_cuts_out_a_planted_block_first(tmp_path: Path) -> None:
    rng, made = random.Random(3), crowd(tmp_path, 4, 150)
    ring = [f"ring{number}" for number in range(20)]
    template = prose(rng, 60)
    for name in ring:
        made.account(name, payment_digest="one-card", signup_ip="250.1.1.1")
        for _ in range(3):  # With camouflage: free texts between the shared ones.
            made.call(name, rng.uniform(0, 24 * HOUR), f"{template} {prose(rng, 6)}")
            made.call(name, rng.uniform(0, 24 * HOUR), prose(rng))
    suspicion = dense_block.suspect(made.log(), made.log(), 0)
    found, of = scores(suspicion), clusters(suspicion)
    assert {of[name] for name in ring} == {0}
    assert least(found, ring) > most(found, [name for name in found if name not in ring])


def test_peeling_keeps_what_is_denser_than_the_whole() -> None:
    # Three owners that share three values, and ten that share one value with one of them.
    pairs = [(owner, value) for owner in range(3) for value in range(3)]
    pairs += [(3 + at, 3 + at) for at in range(10)] + [(0, 3 + at) for at in range(10)]
    owner, value = (np.array(side) for side in zip(*pairs, strict=True))
    density, inside, edges = dense_block.densest(dense_block.Graph(owner, value, np.ones(len(owner))))
    assert np.flatnonzero(inside).tolist() == [0, 1, 2]
    assert density == pytest.approx(9 / 6)
    assert edges.sum() == 9

from __future__ import annotations

import json

import pytest

from bench.figures import kind, percent
from bench.page import FIGURES, PAGE, page

RESULTS = json.loads(FIGURES.read_text(encoding="utf-8"))


def test_the_page_is_what_its_figures_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS)


def test_the_figures_are_of_code_that_was_committed() -> None:
    assert {result["code"]["commit"] for result in RESULTS}
    assert not any(result["code"]["uncommitted"] for result in RESULTS)


def test_the_page_speaks_of_every_campaign_that_was_missed() -> None:
    text = page(RESULTS)
    for result in RESULTS:
        for one in result["grade"]["campaigns"]:
            assert one["found"] or f"**`{kind(one['campaign'])}" in text


def test_the_page_speaks_of_every_class_that_was_accused() -> None:
    text = page(RESULTS)
    for result in RESULTS:
        for each in result["grade"]["classes"]:
            assert not each["named_count"] or f"**{each['name']}.**" in text


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0 %"), (1.0, "100 %"), (0.99996, "99.9 %"), (0.0123, "1.2 %"), (0.5, "50 %")]
)
def test_a_share_is_never_rounded_up_to_all(share: float, shown: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(("name", "stem"), [("swarm-2", "swarm"), ("clean-pool", "clean-pool"), ("pool", "pool")])
def test_copies_of_a_campaign_are_of_one_kind(name: str, stem: str) -> None:
    assert kind(name) == stem

from __future__ import annotations

import io

from rich.console import Console

from stillwatch.adapters.contract import Dialect
from stillwatch.event import EVENT_REQUIRED, EVENT_SCHEMA
from stillwatch.report import dialects

BARE = Dialect("bare", "Bare access logs", frozenset(EVENT_REQUIRED), notes=("It has no prompts.",))
FULL = Dialect("full", "Everything", frozenset(EVENT_SCHEMA.names), losses=("sampled", "masked"))


def shown(draw: str) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=110)
    if draw == "matrix":
        dialects.matrix((BARE, FULL), console)
    else:
        dialects.card(BARE, console)
    return screen.getvalue()


def test_the_matrix_has_a_line_for_every_column_and_marks_the_required() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in shown("matrix").splitlines() if line.strip()}
    assert lines["event_id"] == ["*", "yes", "yes"]
    assert lines["input_text"] == ["·", "yes"]
    assert set(dialects.COLUMNS) <= set(lines)


def test_a_card_says_what_is_missing_and_what_cures_it() -> None:
    text = shown("card")
    assert "Bare access logs" in text
    assert "input_text" in text.split("Cannot fill")[1]
    assert "It has no prompts." in text


def test_json_splits_the_columns_in_what_can_and_what_cannot_be_filled() -> None:
    facts = dialects.as_json(BARE)
    assert facts["columns"] == list(EVENT_REQUIRED)
    assert isinstance(facts["missing"], list)
    assert len(facts["missing"]) + len(EVENT_REQUIRED) == len(dialects.COLUMNS)

"""What is made ahead comes whole and in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stillwatch.engines.ahead import one_ahead


def numbers(count: int, made: list[int]) -> Iterator[int]:
    for number in range(count):
        made.append(number)
        yield number


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_everything_comes_once_and_in_order_and_no_more_than_one_is_made_ahead(count: int) -> None:
    made: list[int] = []
    taken = []
    for number in one_ahead(numbers(count, made)):
        taken.append(number)
        assert len(made) <= len(taken) + 1
    assert taken == made == list(range(count))


def test_what_goes_wrong_in_the_making_is_heard_where_it_is_used() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no second")

    taken = one_ahead(broken())
    assert next(taken) == 1
    with pytest.raises(LookupError, match="no second"):
        next(taken)


def test_who_stops_early_is_not_kept_waiting_for_the_rest() -> None:
    made: list[int] = []
    for number in one_ahead(numbers(1_000, made)):
        if number == 2:
            break
    assert len(made) <= 4

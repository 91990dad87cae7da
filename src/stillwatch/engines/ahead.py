"""Work that goes on while what it made before is in use."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Made = TypeVar("Made")


def one_ahead(made: Iterator[Made]) -> Iterator[Made]:
    """Yield what an iterator yields, in order; the next is made in another thread while the last is in use.

    Cost:    what two of them take in memory.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = pool.submit(list, islice(made, 1))
        while one := ahead.result():
            ahead = pool.submit(list, islice(made, 1))
            yield from one

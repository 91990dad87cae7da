"""What a baseline is: a module that reads a log and says how suspicious each account is.

A baseline sees what a detector sees, events and accounts, and beside them a log of honest traffic to compare with.
It never sees the truth, and it imports no other baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.lab.baselines.log import Log

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

ALONE = -1
"""The cluster of an account that the method puts with no other."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How suspicious each account is; the higher, the more, on whatever scale the method has.

    An account that is absent was not judged: its score is minus infinity.
    Shapes:  accounts string[n]; score float64[n]; cluster int64[n], `ALONE` for none.
    """

    accounts: pa.Array
    score: Floats
    cluster: Ints

    @staticmethod
    def of(accounts: pa.Array, score: Floats, cluster: Ints | None = None) -> Suspicion:
        """Return the suspicion of those accounts whose score is finite."""
        judged = np.isfinite(score)
        of = np.full(len(score), ALONE, np.int64) if cluster is None else cluster
        return Suspicion(accounts.filter(pa.array(judged)), score[judged].astype(np.float64), of[judged])


class Baseline(Protocol):
    """A module of this folder. `TITLE` is its row in the benchmark; its docstring says how it was tuned."""

    @property
    def IDENT(self) -> str: ...  # noqa: N802

    @property
    def TITLE(self) -> str: ...  # noqa: N802

    def suspect(self, log: Log, honest: Log, seed: int) -> Suspicion:
        """Judge the accounts that call in `log`; `honest` is a log of another seed, known to hold no campaign."""
        ...

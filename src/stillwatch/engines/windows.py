"""A run that is one window of a stream: what was decided before it, and what it leaves to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.campaign import online
from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.conclusion import Decide
from stillwatch.campaign.fusion import Axes, Verdict
from stillwatch.campaign.online import OnlineState


@dataclass(slots=True)
class Stream:
    """A stream's file as it was when the run began (`before`, None where it is new), the state that the run decides
    with, and the state that it leaves.
    """

    path: Path
    before: OnlineState | None
    entered: OnlineState
    state: OnlineState

    @staticmethod
    def open(path: Path, calibration: Calibration, fdr: float, key: str) -> Stream:
        """Open a stream, or begin one. Raises what `online.open_stream` raises."""
        before, entered = online.open_stream(path, calibration, fdr, key)
        return Stream(path, before, entered, entered)

    def decide(self, window_us: tuple[int, int]) -> Decide:
        """Return the rule that decides this window's families, and goes on with the stream."""

        def decided(hypotheses: Sequence[tuple[Sequence[str], Axes]]) -> list[Verdict]:
            verdicts, self.state = online.decide(self.entered, window_us, hypotheses)
            return verdicts

        return decided

    def asks_left(self) -> int:
        """Return how many more coordinated families this window could have asked about."""
        return self.entered.asks_left() - online.candidates_count(self.entered, self.state)

    def facts(self) -> dict[str, object]:
        """Return what `run.json` says of the stream after this window."""
        return {
            "windows_count": self.state.windows_count,
            "named_count": self.state.named_count,
            "asks_left": self.state.asks_left(),
            "passed_over": self.state.passed_over,
        }

    def save(self) -> None:
        """Go on to the next window: called when this one's run is published. Raises what `online.save_state` raises."""
        online.save_state(self.path, self.before, self.state)

"""The report's place in a run: looks at the flagged calls again and puts the page beside the findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from stillwatch.report import page
from stillwatch.report.skeleton import SkeletonCollector


class Reporter:
    """Observes one run. It fits `engines.run.Observer`, which it does not know."""

    def __init__(self) -> None:
        self._collector = SkeletonCollector()

    def add(self, batch: pa.RecordBatch, campaign_ids: Sequence[str | None]) -> None:
        self._collector.add(batch, campaign_ids)

    def finish(self, run_dir: Path) -> None:
        rendered = page.render(run_dir, self._collector.finish())
        (run_dir / "report.html").write_text(rendered, encoding="utf-8")

"""Where Spark cannot run, or not with so much, the run ends with the way out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stillwatch.engines import spark
from stillwatch.engines.run import detect
from stillwatch.engines.spark_reading import tell
from stillwatch.errors import Error
from tests.engines.logs import request
from tests.scenes.scene import Silent


def test_without_the_extra_its_command_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(Error) as refused:
        detect(request(tmp_path, engine="spark"), Silent())
    assert refused.value.ident == "missing-extra"
    assert refused.value.hint == "pip install 'stillwatch[spark]'"
    assert not list((tmp_path / "out").iterdir()), "something was left behind"


def test_what_the_driver_cannot_take_ends_the_run_and_says_how_much_it_is() -> None:
    spark.fits(7, 7, "calls")
    with pytest.raises(Error) as refused:
        spark.fits(8, 7, "calls")
    assert refused.value.ident == "too-large-for-driver"
    assert "8 calls, and takes 7 at most" in refused.value.message


def test_news_of_tasks_is_heard_in_the_order_of_the_log_whoever_was_first() -> None:
    news = [
        json.dumps([1, 0, 0, "rejected", ["b", 1, "not-json", ""]]),
        json.dumps([0, 1, 1, "rejected", ["a", 30, "not-json", ""]]),
        json.dumps([0, 1, 0, "rejected", ["a", 20, "not-json", ""]]),
        json.dumps([0, 0, 0, "filled", ["event_id"]]),
    ]
    heard: list[tuple[str, object]] = []
    tell(news, lambda kind, said: heard.append((kind, said[1] if kind == "rejected" else said[0])))
    assert heard == [("filled", "event_id"), ("rejected", 20), ("rejected", 30), ("rejected", 1)]

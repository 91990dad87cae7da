"""Kernels are compiled once for each machine and version, and whoever waits for that is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.house.repository import ROOT

RUN = r"""
import importlib, json, pkgutil, sys
from pathlib import Path
import stillwatch.kernels
from stillwatch.engines.run import detect
from tests.engines.logs import request
from tests.scenes.scene import Silent

class Listener(Silent):
    def note(self, text):
        heard.append(text)

heard = []
detect(request(Path(sys.argv[1])), Listener())
names = [one.name for one in pkgutil.iter_modules(stillwatch.kernels.__path__)]
modules = [importlib.import_module(f"stillwatch.kernels.{name}") for name in names]
kernels = {id(one): one for module in modules for one in vars(module).values() if hasattr(one, "stats")}.values()
misses = sorted(one.__name__ for one in kernels if one.stats.cache_misses)
print(json.dumps({"heard": heard, "loaded": sum(bool(one.stats.cache_hits) for one in kernels), "misses": misses}))
"""

COLD = """
from stillwatch.kernels.tracer import must_compile
print(must_compile(), must_compile())
"""


def said(program: str, *arguments: str, **environment: str) -> str:
    """Return what a program says in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HOME": os.environ.get("HOME", ""), "PATH": "", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_run_compiles_nothing_and_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    said(RUN, str(tmp_path / "one"))
    second = json.loads(said(RUN, str(tmp_path / "two")))
    assert second["misses"] == []
    assert second["loaded"] >= 10
    assert not [text for text in second["heard"] if text.startswith("compiling")]


def test_where_nothing_is_kept_the_first_kernel_says_that_all_must_be_compiled(tmp_path: Path) -> None:
    assert said(COLD, NUMBA_CACHE_DIR=str(tmp_path)).split() == ["True", "False"]
    assert said(COLD, NUMBA_CACHE_DIR=str(tmp_path)).split() == ["False", "False"]

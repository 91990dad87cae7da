"""A real standalone cluster and a real Connect server on loopback give the bytes that one machine gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.engines.run import detect
from tests.engines.logs import request
from tests.engines.spark.servers import connect, environment, executors, standalone
from tests.parity.engines import SMALL, assert_same
from tests.scenes.scene import Silent

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True, scope="module")
def with_pyspark() -> None:
    pytest.importorskip("pyspark", reason="pip install 'stillwatch[spark]'")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    with standalone(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


def command(folder: Path, *options: str) -> list[str]:
    """Return a command line that asks what `request` asks, on Spark."""
    asked = request(folder)
    started = "from stillwatch.cli.main import main; main()"
    conf = [f"--spark-conf={name}={value}" for name, value in {**SMALL, "spark.pyspark.python": sys.executable}.items()]
    return [
        *(sys.executable, "-c", started, "detect", *asked.events, "--accounts", *asked.accounts),
        *("--out", str(folder / "spark"), "--calibration", str(asked.calibration), "--no-power", "--engine", "spark"),
        *conf,
        *options,
    ]


def test_a_standalone_cluster_gives_the_same_bytes_and_only_a_summary_on_standard_output(
    cluster: tuple[str, list[int]], tmp_path: Path
) -> None:
    here = detect(request(tmp_path), Silent()).run_dir
    done = subprocess.run(
        command(tmp_path, "--spark-master", cluster[0], "--json"),
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    assert all(line.startswith("stillwatch: ") for line in done.stderr.splitlines()), done.stderr
    assert_same(without_report(here), without_report(tmp_path / "spark"))


def test_an_executor_that_is_killed_in_mid_run_changes_nothing(cluster: tuple[str, list[int]], tmp_path: Path) -> None:
    here = detect(request(tmp_path), Silent()).run_dir
    running = subprocess.Popen(
        command(tmp_path, "--spark-master", cluster[0]),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert running.stderr is not None
    killed = []
    for line in running.stderr:
        # What was read lies in the executors' memory now; with one of them half of it goes.
        if "families …" in line:
            killed = executors(cluster[1])[:1]
            for one in killed:
                os.kill(one, signal.SIGKILL)
    assert running.wait() == 0
    assert killed
    assert_same(without_report(here), without_report(tmp_path / "spark"))


def test_a_connect_server_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="pip install 'pyspark[connect]'")
    here = detect(request(tmp_path), Silent()).run_dir
    with connect(tmp_path, SMALL) as url:
        done = subprocess.run(
            command(tmp_path, "--spark-remote", url), capture_output=True, text=True, env=environment(), check=False
        )
    assert done.returncode == 0, done.stderr
    assert_same(without_report(here), without_report(tmp_path / "spark"))


def test_an_address_where_nothing_is_ends_the_run_with_a_way_out(tmp_path: Path) -> None:
    without_java = {**environment(), "PATH": str(Path(sys.executable).parent), "JAVA_HOME": ""}
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, env=without_java, check=False)
    assert done.returncode == 1
    assert "stillwatch: error: no Java was found" in done.stderr
    assert "stillwatch: hint: install Java" in done.stderr
    assert not (tmp_path / "spark").exists()


def without_report(run_dir: Path) -> Path:
    """Leave out the page, which only the command line writes."""
    (run_dir / "report.html").unlink(missing_ok=True)
    return run_dir

"""Spark's own servers on loopback, from the package's jars: a master with two workers, and a Connect server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.house.repository import ROOT

WAIT_S = 120
"""A busy machine takes half a minute for what a free one does in five seconds."""

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Servers of a test are gone before it pays to compile them well."""


def home() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def environment() -> dict[str, str]:
    """What servers and their workers know: this Python, and these sources."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "1g",
        "SPARK_DAEMON_JAVA_OPTS": QUICK,
    }


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, env=environment(), start_new_session=True
        )
    try:
        yield server
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def said(log: Path, words: str) -> None:
    """Wait until a server has said something."""
    end = time.monotonic() + WAIT_S
    while words not in log.read_text(errors="replace"):
        assert time.monotonic() < end, log.read_text(errors="replace")[-2_000:]
        time.sleep(0.2)


@contextmanager
def standalone(folder: Path, workers: int = 2) -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a master and the process ids of its workers, of one core each."""
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    start = [str(home() / "bin" / "spark-class")]
    master = "org.apache.spark.deploy.master.Master"
    worker = "org.apache.spark.deploy.worker.Worker"
    with ExitStack() as servers:
        command = [*start, master, "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
        servers.enter_context(running(command, folder / "master.log"))
        said(folder / "master.log", "I have been elected leader")
        pids = []
        for number in range(workers):
            log = folder / f"worker-{number}.log"
            place = ["--host", "127.0.0.1", "--webui-port", "0", "--work-dir", str(folder / f"worker-{number}")]
            server = servers.enter_context(
                running([*start, worker, "--cores", "1", "--memory", "1g", *place, url], log)
            )
            pids.append(server.pid)
        for number in range(workers):
            said(folder / f"worker-{number}.log", "Successfully registered with master")
        yield url, pids


@contextmanager
def connect(folder: Path, conf: dict[str, str]) -> Iterator[str]:
    """Yield the address of a Connect server whose session is on this machine."""
    port = free_port()
    settings = {
        **conf,
        "spark.ui.enabled": "false",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    command = [str(home() / "bin" / "spark-submit"), "--master", "local[2]"]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    with running([*command, "--class", server, "spark-internal"], folder / "connect.log"):
        said(folder / "connect.log", "Spark Connect server started at")
        yield f"sc://127.0.0.1:{port}"


def executors(workers: Sequence[int]) -> list[int]:
    """Return the process ids of the executors that workers have started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if b"CoarseGrainedExecutorBackend" in command and b"java" in command and parent in workers:
                found.append(int(folder.name))
    return found

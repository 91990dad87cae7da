"""Spark sessions: on this machine, on a standalone cluster, behind a Connect server; the one room of pyspark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from stillwatch.engines.contract import SparkAsk
from stillwatch.engines.spark_rows import ddl, unsigned
from stillwatch.errors import Error

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

QUIET = {
    "spark.app.name": "stillwatch",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""Of a session that a run starts itself: it has no page, and progress is told by Stillwatch alone."""

LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
}
"""Of a session that is all on this machine."""

AWAY = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Of a session whose work is done elsewhere: the driver only plans, and is done before it pays to compile it well."""

NEEDED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
"""Of every session: times are UTC; a batch of traces is some 10 MB; and keyed hashes, which most columns are, do not
compress, so that nobody tries."""


class Task(Protocol):
    """What a worker runs over batches; `run` is called there, on a copy."""

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]: ...


class Cluster:
    """One run's session: its views and what it keeps in the cluster's memory are its own."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._kept: list[DataFrame] = []

    def over(self, count: int, task: Task, schema: pa.Schema) -> DataFrame:
        """Return what a task makes of the numbers 0 to `count`, each in a partition of its own."""
        return self.map(self._session.range(0, count, 1, max(1, count)), task, schema)

    def map(self, frame: DataFrame, task: Task, schema: pa.Schema) -> DataFrame:
        """Return what a task makes of a frame's partitions."""
        return frame.mapInArrow(task.run, ddl(schema))

    def table(self, name: str) -> DataFrame:
        """Return a table of one of Spark's catalogs.

        Raises:  Error `no-such-table`.
        """
        from pyspark.errors import AnalysisException

        try:
            frame = self._session.read.table(name)
            frame.columns  # noqa: B018  # a Connect server looks the table up only when it is asked of it
        except AnalysisException as error:
            raise Error(
                "no-such-table",
                "no table of this name in the catalogs of Spark",
                hint="name it as CATALOG.DATABASE.TABLE, and set its catalog with --spark-conf",
                where=name,
            ) from error
        return frame

    def sql(self, statement: str) -> DataFrame:
        """Return a statement's rows."""
        return self._session.sql(statement)

    def given(self, table: pa.Table) -> DataFrame:
        """Return a small table of the driver's on the cluster."""
        return self._session.createDataFrame(table)

    def name(self, view: str, frame: DataFrame) -> None:
        """Give a frame a name that statements know it by."""
        frame.createOrReplaceTempView(view)

    def keep(self, view: str, frame: DataFrame) -> DataFrame:
        """Do as `name` does, and keep the rows in the cluster once they are made."""
        frame = frame.persist()
        self._kept.append(frame)
        self.name(view, frame)
        return frame

    def fetch(self, frame: DataFrame) -> pa.Table:
        """Return a frame's rows, with pseudonyms unsigned."""
        return unsigned(frame.toArrow())

    def close(self) -> None:
        """Let the cluster forget what it kept."""
        for frame in reversed(self._kept):
            frame.unpersist()
        self._kept.clear()


@contextmanager
def open_cluster(ask: SparkAsk) -> Iterator[Cluster]:
    """Open a session where a run asks for it; one that is already there in this process is used and left as it is.

    Raises:  Error `missing-extra`, `spark-not-started`; `spark-failed` where the cluster gives a run up.
    """
    session, own = _session(ask)
    cluster = Cluster(session)
    from pyspark.errors import PySparkException

    try:
        yield cluster
    except PySparkException as error:
        raise _failed(error) from error
    finally:
        if own:
            session.stop()
        else:
            cluster.close()


def _session(ask: SparkAsk) -> tuple[SparkSession, bool]:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Error(
            "missing-extra",
            "--engine spark needs PySpark, which is not installed",
            hint="pip install 'stillwatch[spark]'",
        ) from error
    active = None if ask.remote else SparkSession.getActiveSession()
    try:
        if active is not None:
            session = active.newSession()
        elif ask.remote:
            session = SparkSession.builder.remote(ask.remote).create()
        else:
            session = _started(ask)
        # A session that was started here has the settings already, and some of them can be set only then.
        settings = NEEDED if active is None and not ask.remote else {**NEEDED, **_settable(ask.conf)}
        for name, value in settings.items():
            session.conf.set(name, value)
    except (PySparkException, OSError, ImportError) as error:
        raise _not_started(ask, error) from error
    return session, active is None


def _settable(conf: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in conf.items() if name.startswith("spark.sql.")}


def _started(ask: SparkAsk) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    master = ask.master or "local[*]"
    local = master.startswith("local")
    conf = SparkConf().setMaster(master)
    here = {**LOCAL, "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1))} if local else AWAY
    conf.setAll(list({**QUIET, **here, **NEEDED, **ask.conf}.items()))
    # Spark's own words go nowhere: standard output holds a run's answer, and standard error its progress.
    silent: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    launch: Any = launch_gateway
    gateway = None if SparkContext._gateway else launch(conf, silent)
    context = SparkContext(conf=conf, gateway=gateway)
    if local or "spark.pyspark.python" in ask.conf:
        # The workers of this machine run what runs here, and not the first Python on the path.
        context.pythonExec = ask.conf.get("spark.pyspark.python", sys.executable)
    return SparkSession(context)


def _failed(error: Exception) -> Error:
    # The text of what Spark says may quote a row, so it is only looked at.
    lacking = "No module named 'stillwatch" in str(error)
    return Error(
        "spark-failed",
        "the workers have no stillwatch installed" if lacking else f"the cluster gave up: {type(error).__name__}",
        hint="docs/spark.md says what workers need" if lacking else "the logs of Spark's driver and executors say why",
    )


def _not_started(ask: SparkAsk, error: Exception) -> Error:
    where = ask.remote or ask.master or "local[*]"
    if isinstance(error, ImportError):
        hint = "pip install 'pyspark[connect]'"
        return Error("spark-not-started", "a package that Spark Connect needs is missing", hint=hint, where=where)
    if ask.remote is None and shutil.which("java") is None:
        hint = "install Java 17 or later, or set JAVA_HOME where it is"
        return Error("spark-not-started", "no Java was found, and Spark needs it", hint=hint, where=where)
    return Error(
        "spark-not-started",
        f"no session could be had from Spark: {type(error).__name__}",
        hint="see that the address is right and the cluster is up; --spark-conf sets what Spark needs to know",
        where=where,
    )

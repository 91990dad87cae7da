"""Reads the directory that a run wrote; the only door of this room to the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import Error
from stillwatch.finding import Campaign, Group, Reach, Verdict

SCHEMA_VERSION = 1

FILES = (
    "run.json",
    "campaigns.jsonl",
    "groups.jsonl",
    "accounts.parquet",
    "activity.parquet",
    "considered.parquet",
)
"""What a report needs; `exchanges.parquet` and `rejected.jsonl` are for machines."""


class Window(msgspec.Struct, frozen=True):
    """First and last call of the log, RFC 3339 in UTC; None where the log held no call."""

    start: str | None = None
    end: str | None = None


class Dialect(msgspec.Struct, frozen=True):
    """The log's dialect, why it was chosen, and how many rows its writer had curtailed."""

    ident: str = "canonical"
    reason: str = ""
    losses: dict[str, int] = {}


class Calibration(msgspec.Struct, frozen=True):
    """The benign families that intent and homogeneity were compared with."""

    ident: str = ""
    shipped: bool = True
    families_count: int = 0


class SignalRun(msgspec.Struct, frozen=True):
    """One signal of the run and whether it could run."""

    ident: str
    status: str
    family: str = ""
    reason: str = ""


class Online(msgspec.Struct, frozen=True):
    """How far the stream is that the run was a window of."""

    windows_count: int
    named_count: int
    asks_left: int
    passed_over: int


class StoreRead(msgspec.Struct, frozen=True):
    """The store that the run read in place of a log."""

    schema_version: int
    manifest: int


class Saturated(msgspec.Struct, frozen=True):
    """A bound that was hit, and what was left out by it."""

    bound: str
    value: float
    note: str = ""


class Facts(msgspec.Struct, frozen=True):
    """The part of `run.json` that a reader is told."""

    schema_version: int
    events_count: int
    accounts_count: int
    rejected_count: int
    fdr: float
    engine: str = ""
    seed: int = 0
    config_digest: str = ""
    tool_version: str = ""
    key_ident: str = ""
    duplicates_count: int = 0
    groups_count: int = 0
    window: Window = Window()
    dialect: Dialect = Dialect()
    calibration: Calibration = Calibration()
    signals: tuple[SignalRun, ...] = ()
    saturated: tuple[Saturated, ...] = ()
    rejected_by_reason: dict[str, int] = {}
    power: tuple[Reach, ...] = ()
    online: Online | None = None
    grants: tuple[str, ...] = ()
    store: StoreRead | None = None


class Audit(msgspec.Struct, frozen=True):
    """What one grant has to do with one campaign, in a sentence of figures."""

    grant_id: str
    statement: str


class Exempted(msgspec.Struct, frozen=True):
    """A line of `exemptions.jsonl`: what grants made of one campaign."""

    campaign_id: str
    status: Literal["exempted", "reduced", "stands"]
    exempted_accounts_count: int
    remaining_accounts_count: int
    grants: tuple[Audit, ...]


class AccountRow(msgspec.Struct, frozen=True):
    """A row of `accounts.parquet`."""

    account_id: str
    campaign_id: str | None
    membership: float | None
    verdict: str
    events_count: int
    campaign_events_count: int


@dataclass(frozen=True, slots=True)
class Run:
    """All that a report is made of, except the hours, which are read for one campaign at a time."""

    directory: Path
    facts: Facts
    campaigns: tuple[Campaign, ...]
    groups: tuple[Group, ...]
    exemptions: tuple[Exempted, ...] = ()

    def groups_of(self, campaign: Campaign) -> list[Group]:
        """List the tested families of one campaign, in the campaign's own order."""
        by_id = {group.group_id: group for group in self.groups}
        return [by_id[group_id] for group_id in campaign.group_ids if group_id in by_id]

    def not_listed(self) -> list[Group]:
        """List the families that were tested and are no campaign, biggest first."""
        rest = [group for group in self.groups if group.outcome != "extraction-campaign" and was_tested(group)]
        return sorted(rest, key=lambda group: (-group.events_count, group.group_id))

    def untested(self) -> list[Group]:
        """List the families that were not tested, biggest first; a run keeps the largest of them."""
        rest = [group for group in self.groups if not was_tested(group)]
        return sorted(rest, key=lambda group: (-group.events_count, group.group_id))

    def untested_count(self) -> int:
        """Count the families that were not tested, those that the run does not list too."""
        for item in self.facts.saturated:
            if item.bound == "groups_shown_max":
                return int(item.value)
        return len(self.untested())

    def tested_count(self) -> int:
        """Count the families that were tested, whatever came of it."""
        return sum(was_tested(group) for group in self.groups)

    def skipped(self) -> list[SignalRun]:
        """List the signals that could not run."""
        return [signal for signal in self.facts.signals if signal.status != "ran"]


def read(directory: Path) -> Run:
    """Read a run's findings.

    Raises:  not-a-run where a file is missing; broken-run where one cannot be read;
             unknown-schema-version where a later Stillwatch wrote it.
    """
    for name in FILES:
        if not (directory / name).is_file():
            raise Error(
                "not-a-run",
                f"the folder is not a finished run: {name} is missing",
                hint="name the folder that `stillwatch detect --out` wrote",
                where=str(directory),
            )
    facts = _decode(directory / "run.json", Facts)
    if facts.schema_version != SCHEMA_VERSION:
        raise Error(
            "unknown-schema-version",
            f"the run has schema version {facts.schema_version}, this program reads {SCHEMA_VERSION}",
            hint="use the version of Stillwatch that wrote it, or detect again",
            where=str(directory / "run.json"),
        )
    exemptions = directory / "exemptions.jsonl"
    return Run(
        directory,
        facts,
        tuple(_lines(directory / "campaigns.jsonl", Campaign)),
        tuple(_lines(directory / "groups.jsonl", Group)),
        # Written where the run was given grants, and nowhere else.
        tuple(_lines(exemptions, Exempted)) if exemptions.is_file() else (),
    )


def was_tested(group: Group) -> bool:
    """Say whether any signal spoke of the family: on each that is tested, some do."""
    return bool(group.evidence or group.counter_evidence)


def account_rows(directory: Path, column: str, value: str) -> list[AccountRow]:
    """Read the rows of `accounts.parquet` whose column has this value, most certain first."""
    table = _table(directory / "accounts.parquet", list(AccountRow.__struct_fields__), (column, value))
    rows = [msgspec.convert(row, AccountRow) for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (-(row.membership or 0.0), row.account_id, row.campaign_id or ""))


def verdict_count(directory: Path, verdict: Verdict) -> int:
    """Count the accounts with a verdict, each once however many campaigns it is in."""
    table = _table(directory / "accounts.parquet", ["account_id"], ("verdict", verdict))
    return int(pc.count_distinct(table["account_id"]).as_py())


def carries(directory: Path, account_id: str, campaign_id: str | None) -> bool:
    """Say whether calls of an account are listed as a campaign's: those of a named account and of a carrier are."""
    table = _table(directory / "activity.parquet", ["campaign_id"], ("account_id", account_id))
    return campaign_id in table["campaign_id"].to_pylist()


def hours(directory: Path, campaign_id: str) -> pa.Table:
    """Read one campaign's calls by group, account and hour.

    Shapes:  columns group_id and account_id dictionary<string>, hour int64, calls int64.
    Units:   hour in hours since 1970, UTC.
    """
    names = ["group_id", "account_id", "hour", "calls"]
    # A month of a big campaign is tens of millions of rows; dictionaries keep each name once.
    table = _table(directory / "activity.parquet", names, ("campaign_id", campaign_id), names[:2])
    seconds = table["hour"].cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.int64())
    hour = pc.divide(seconds, pa.scalar(3600, pa.int64()))
    return table.set_column(table.schema.get_field_index("hour"), "hour", hour)


def considered_groups(directory: Path, account_key: int) -> dict[str, int]:
    """Read in which tested groups an account had how many calls."""
    names = ["group_id", "calls"]
    table = _table(directory / "considered.parquet", names, ("account_key", account_key))
    found: dict[str, int] = {}
    for row in table.to_pylist():
        found[row["group_id"]] = found.get(row["group_id"], 0) + row["calls"]
    return dict(sorted(found.items()))


_Word = TypeVar("_Word")


def _decode(path: Path, kind: type[_Word]) -> _Word:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise _broken(path) from error


def _lines(path: Path, kind: type[_Word]) -> list[_Word]:
    decoder = msgspec.json.Decoder(kind)
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                found.append(decoder.decode(line))
            except msgspec.DecodeError as error:
                raise _broken(path, number) from error
    return found


def _table(path: Path, names: list[str], equal: tuple[str, str | int], dictionaries: Sequence[str] = ()) -> pa.Table:
    column, value = equal
    # A pseudonym is unsigned; a bare Python integer past 2^63 would not convert.
    scalar = pa.scalar(value, pa.uint64() if isinstance(value, int) else pa.string())
    try:
        return pq.read_table(
            path, columns=names, filters=pc.field(column) == scalar, read_dictionary=list(dictionaries)
        )
    except (pa.ArrowException, OSError) as error:
        raise _broken(path) from error


def _broken(path: Path, line: int | None = None) -> Error:
    return Error(
        "broken-run",
        "a file of the run cannot be read: it is cut short or was written by something else",
        hint="run `stillwatch detect` again",
        where=str(path) if line is None else f"{path}, line {line}",
    )


def losses_of(facts: Facts) -> Mapping[str, int]:
    """Give the losses that the log did have."""
    return {name: count for name, count in sorted(facts.dialect.losses.items()) if count}

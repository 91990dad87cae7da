"""Which of the six dialects a log is in: as told, or found out from content where exactly one fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.adapters import bedrock, canonical, gateway, litellm, otel, raw_pairs
from stillwatch.adapters.contract import Adapter, Head, LogFile
from stillwatch.adapters.source import read_head
from stillwatch.errors import Error

ADAPTERS: tuple[Adapter, ...] = (canonical, otel, litellm, bedrock, gateway, raw_pairs)

AUTO = "auto"

SAMPLED_FILES_MAX = 3
"""The first, the middle and the last file: a log that changes its dialect does so over time."""

EMPTY_FILES_MAX = 64
"""How many files to try in place of those that hold no record."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An adapter, and why it was chosen, as a sentence without a full stop."""

    adapter: Adapter
    reason: str


def adapter_named(ident: str) -> Adapter:
    """Find the adapter of a dialect.

    Raises: Error unknown-format.
    """
    for adapter in ADAPTERS:
        if adapter.DIALECT.ident == ident:
            return adapter
    known = ", ".join(adapter.DIALECT.ident for adapter in ADAPTERS)
    raise Error("unknown-format", "no dialect has this name", hint=f"one of: {AUTO}, {known}", where=ident)


def choose(files: Sequence[LogFile], wanted: str) -> Choice:
    """Choose the adapter of the wanted format; `auto` looks into a few files, and one dialect must fit all.

    Raises: Error unknown-format, format-unknown, format-ambiguous, input-vanished, input-unreadable.
    """
    if wanted != AUTO:
        return Choice(adapter_named(wanted), "as told by --format")
    heads = _sample(files)
    fits = [(adapter, [adapter.recognise(head) for head in heads]) for adapter in ADAPTERS] if heads else []
    fitting = [Choice(adapter, reasons[0] or "") for adapter, reasons in fits if all(reasons)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        said = "; ".join(f"{choice.adapter.DIALECT.ident}: {choice.reason}" for choice in fitting)
        raise Error("format-ambiguous", f"more than one dialect fits ({said})", hint="say which: --format")
    some = sorted({adapter.DIALECT.ident for adapter, reasons in fits if any(reasons)})
    if not heads:
        raise Error(
            "format-unknown",
            "no record could be read from the files",
            hint="they are empty, damaged, or neither JSON nor Parquet; `stillwatch formats` lists what can be read",
            where=files[0].uri if files else "",
        )
    if some:
        message = f"the files are not all in one dialect: some fit {', '.join(some)}"
    else:
        message = "no dialect fits what the files hold"
    raise Error(
        "format-unknown",
        message,
        hint="say which with --format; `stillwatch formats` lists what each dialect looks like",
        where=heads[0].file.uri,
    )


def _sample(files: Sequence[LogFile]) -> list[Head]:
    """Read the heads of the first, middle and last file, or of neighbours where these are empty."""
    last = len(files) - 1
    order = dict.fromkeys([0, last // 2, last, *range(len(files))]) if files else {}
    heads: list[Head] = []
    for index in list(order)[: SAMPLED_FILES_MAX + EMPTY_FILES_MAX]:
        head = read_head(files[index])
        if head.records or head.columns:
            heads.append(head)
        if len(heads) == SAMPLED_FILES_MAX:
            break
    return heads

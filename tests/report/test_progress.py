from __future__ import annotations

import io

from rich.console import Console

from stillwatch.report.progress import LINE_SECONDS_MIN, Bar, Lines


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_collector_gets_few_lines_however_often_a_run_advances() -> None:
    lines: list[str] = []
    clock = Clock()
    with Lines(lines.append, clock) as progress:
        progress.begin("read", 10_000_000)
        for _ in range(1024):
            clock.now += LINE_SECONDS_MIN / 512
            progress.advance(100, 10_000)
        progress.end("read", 10.0, 102_400)
    assert lines == [
        "stillwatch: read …",
        "stillwatch: read: 51,200 calls, 5 of 10 MB",
        "stillwatch: read: 102,400 calls, 10 of 10 MB",
        "stillwatch: read: 102,400 rows in 10.0 s",
    ]


def test_quiet_keeps_the_notes_since_they_say_what_was_chosen() -> None:
    lines: list[str] = []
    with Lines(lines.append, Clock(), quiet=True) as progress:
        progress.begin("read", None)
        progress.note("reading as otel: every record has gen_ai attributes")
        progress.end("read", 1.0, 1)
    assert lines == ["stillwatch: reading as otel: every record has gen_ai attributes"]


def test_a_bar_shows_rows_and_bytes_and_leaves_a_line_for_each_stage() -> None:
    screen = io.StringIO()
    with Bar(Console(file=screen, force_terminal=True, width=100)) as progress:
        progress.begin("read", 2_000_000)
        progress.advance(1234, 1_000_000)
        progress.note("a note with [brackets] stays as it is")
        progress.end("read", 2.0, 1234)
        progress.advance(1, 1)
    shown = screen.getvalue()
    assert "a note with [brackets] stays as it is" in shown
    assert "read: 1,234 rows in 2.0 s" in shown

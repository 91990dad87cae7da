"""A gate of hand-written values in a process of its own: prints its ports, then a line when a call is being decided."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stillwatch.gate import server
from stillwatch.gate.assembly import sockets_of
from stillwatch.gate.contract import Call, Observed, Recognition
from stillwatch.gate.settings import Limits
from tests.gate.values import Notes, Standing, settings_of


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class SlowNotes(Notes):
    """Says that it was asked, and waits until a test has put down a file."""

    def __init__(self, go: Path) -> None:
        super().__init__()
        self._go = go

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        tell("deciding")
        while not self._go.exists():  # noqa: ASYNC110  # the file comes from another process
            await asyncio.sleep(0.01)
        return Observed()


async def main(folder: Path) -> None:
    standing = Standing(state=SlowNotes(folder / "decide"))
    assembly = standing.assembly(settings_of(folder, limits=Limits(deadline_ms=60_000)))
    assembly.told.teller._write = sys.stderr.write
    public, admin = sockets_of(assembly.settings)

    async def tell_ports() -> None:
        await assembly.running.started.wait()
        tell(f"{assembly.running.public_port} {assembly.running.admin_port}")

    await asyncio.gather(tell_ports(), assembly.run(public, admin))


if __name__ == "__main__":
    server.run(main(Path(sys.argv[1])))

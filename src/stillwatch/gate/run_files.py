"""What a snapshot takes from the folder of a run: who was named, what marks the campaigns, under which key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.errors import Error
from stillwatch.grant import micros
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.pseudonym import Key, key_ident


class Held(msgspec.Struct, frozen=True):
    """One of a campaign's rare shared values, as `signatures.jsonl` has it."""

    kind: str
    pseudonym: str
    accounts_count: int
    population_accounts_count: int


class Marks(msgspec.Struct, frozen=True):
    """A line of `signatures.jsonl`: what marks the calls of one family of one campaign."""

    campaign_id: str
    group_id: str
    shingles: tuple[int, ...]
    hits_needed: int
    own_shingles: tuple[int, ...]
    own_needed: int
    calls_count: int
    accounts_count: int
    outside_calls_count: int
    outside_accounts_count: int
    links: tuple[Held, ...]
    last_banned: str | None

    @property
    def ban_us(self) -> int:
        """When the last of the campaign's accounts was banned; -1 where none was."""
        return -1 if self.last_banned is None else micros(self.last_banned)


class _Window(msgspec.Struct, frozen=True):
    end: str


class _Facts(msgspec.Struct, frozen=True):
    key_ident: str
    config_digest: str
    window: _Window


@dataclass(frozen=True, slots=True)
class RunFiles:
    """One run.

    Shapes:  accounts uint64[n], pseudonyms; campaign_of int64[n]: places in `campaigns`; named bool[n], else under
             watch.
    """

    ident: str
    end_us: int
    campaigns: tuple[str, ...]
    accounts: NDArray[np.uint64]
    campaign_of: NDArray[np.int64]
    named: NDArray[np.bool_]
    marks: tuple[Marks, ...]

    @staticmethod
    def read(directory: Path, secret: bytes) -> RunFiles:
        """Read a run that was made under a secret.

        Raises:  broken-run; run-of-another-key.
        """
        try:
            facts = msgspec.json.decode((directory / "run.json").read_bytes(), type=_Facts)
            decoder = msgspec.json.Decoder(Marks)
            told = (directory / "signatures.jsonl").read_bytes().splitlines()
            marks = tuple(decoder.decode(line) for line in told if line.strip())
            table = pq.read_table(directory / "accounts.parquet", columns=["account_id", "campaign_id", "verdict"])
            end_us = micros(facts.window.end)
            for one in marks:
                _check(one)
        except (OSError, ValueError, msgspec.DecodeError, pa.ArrowException) as error:
            raise Error(
                "broken-run",
                "a file of the run cannot be read: it is cut short or was written by something else",
                hint="name a folder that `stillwatch detect --out` of this release wrote",
                where=str(directory),
            ) from error
        if facts.key_ident != key_ident(secret):
            raise Error(
                "run-of-another-key",
                f"its pseudonyms are made with the secret {facts.key_ident[:16]}, got {key_ident(secret)}",
                hint="pass the --key-file that the run was made with",
                where=str(directory),
            )
        coded = table["campaign_id"].combine_chunks().dictionary_encode()
        return RunFiles(
            facts.config_digest,
            end_us,
            tuple(coded.dictionary.to_pylist()),
            pseudonyms(table["account_id"].combine_chunks(), Key.derive(secret, "identifiers")),
            coded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
            np.array([verdict == "campaign" for verdict in table["verdict"].to_pylist()], dtype=bool),
            marks,
        )


def _check(one: Marks) -> None:
    """Raise ValueError where a line says what no run writes."""
    int(one.campaign_id.removeprefix("c-"), 16), int(one.group_id.removeprefix("f-"), 16), one.ban_us
    np.array(one.shingles + one.own_shingles, dtype=np.uint32)
    for link in one.links:
        int(link.pseudonym, 16)

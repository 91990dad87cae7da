"""A gate of full size for measurements: a signed snapshot, a folder that a gate starts from, and its callers.

A million accounts of two hundred campaigns, half of which a person confirmed, and ten thousand signatures of the size
that a run writes. All of them are drawn at random but one: the signature of a template that some calls here carry. The
snapshot is built and opened by the gate's own code.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from bench.measuring import Found, say
from bench.prompts import VOCABULARY, vocabulary
from stillwatch.evidence import signing
from stillwatch.gate import snapshot_file
from stillwatch.gate.contract import Call, Meter
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.metrics import Metrics
from stillwatch.gate.policy import load
from stillwatch.gate.run_files import Held, Marks, RunFiles
from stillwatch.gate.service import Gate
from stillwatch.gate.snapshot import OpenSnapshot, key_of_block, open_snapshot
from stillwatch.gate.snapshot_build import Given, build
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.single import call_shingles
from stillwatch.pseudonym import Key
from stillwatch.sanction import Sanction

SEED = 20_261_126
SECRET = b"a secret of measurements that hides nothing"
POLICY = "strict"

PROMPT_BYTES = 4_096
TEMPLATE_BYTES = 3_300
"""Of a prompt of a campaign: the rest is its task, another in each call."""

CAMPAIGNS = 200
WATCHED_EVERY = 4
"""Every fourth account of a campaign is under watch, and the others are named."""

CORE, OWN = 64, 32
"""Shingles of a signature's core, as many as a run keeps at most, and of those that no other family has."""

HITS_NEEDED, OWN_NEEDED = 4, 2
VERIFIED_EVERY = 100
NEXT_COPIES = 5
"""Snapshots of the same content and the next sequences, for swaps."""

LINES_US = 1_000


@dataclass(frozen=True, slots=True)
class Size:
    accounts: int = 1_000_000
    signatures: int = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a gate."""

    folder: Path

    @property
    def snapshot(self) -> Path:
        return self.folder / "gate.snapshot"

    def later(self, number: int) -> Path:
        return self.folder / f"later-{number}.snapshot"

    @property
    def settings(self) -> Path:
        return self.folder / "gate.toml"

    def opened(self) -> OpenSnapshot:
        pems = {"signer.pub": (self.folder / "signer.pub").read_bytes()}
        return open_snapshot(self.snapshot, pems, SECRET, now_us())

    def gate(self, meter: Meter | None = None) -> Gate:
        """Put a gate together from the snapshot, a shipped policy, a state in memory, and its own metrics."""
        snapshot, policy = self.opened(), load(Path(POLICY), now_us(), SECRET)
        return Gate(lambda: snapshot, lambda: policy, MemoryState(), meter or Metrics(), key_of_block(SECRET))


SETTINGS = """
key-file = "stillwatch.key"
[snapshot]
file = "gate.snapshot"
keys = ["signer.pub"]
refresh-seconds = 0.1
[policy]
file = "policy.yaml"
[listen]
port = 0
[admin]
port = 0
"""


def now_us() -> int:
    return time.time_ns() // 1_000


def written(folder: Path, size: Size) -> Found:
    """Build the snapshot of a size, write the folder of a gate, and return what the snapshot takes."""
    from stillwatch.gate.shipped import policy_text

    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder)
    private = signing.new_private_key()
    (folder / "stillwatch.key").write_bytes(SECRET)
    (folder / "signer.pub").write_bytes(signing.public_key(private))
    (folder / "policy.yaml").write_text(policy_text(Path(POLICY)), encoding="utf-8")
    place.settings.write_text(SETTINGS, encoding="utf-8")
    say(f"building a snapshot of {size.accounts:,} accounts and {size.signatures:,} signatures …")
    asked = given(size)
    begun = time.perf_counter()
    head, columns = build(asked)
    built = time.perf_counter()
    snapshot_file.write(place.snapshot, head, columns, private)
    ended = time.perf_counter()
    for number in range(1, NEXT_COPIES + 1):
        later = msgspec.structs.replace(head, sequence=head.sequence + number)
        snapshot_file.write(place.later(number), later, columns, private)
    before = time.perf_counter()
    opened = place.opened()
    return {
        "accounts": head.counts["accounts"], "signatures": head.counts["signatures"], "counts": head.counts,
        "left_out": head.left_out, "seed": SEED, "file_bytes": place.snapshot.stat().st_size,
        "build_seconds": built - begun, "write_seconds": ended - built,
        "open_seconds": time.perf_counter() - before, "ident": opened.ident,
    }  # fmt: skip


def given(size: Size) -> Given:
    """Return what the snapshot is made of."""
    rng = np.random.default_rng(SEED)
    now = datetime.now(UTC)
    count = np.arange(size.accounts)
    names = pa.array([account(at) for at in range(size.accounts)], pa.string())
    keys = pseudonyms(names, Key.derive(SECRET, "identifiers"))
    campaigns = tuple(f"c-{at + 1:016x}" for at in range(CAMPAIGNS))
    marks = (template_marks(), *(random_marks(rng, at) for at in range(1, size.signatures)))
    run = RunFiles(
        "run-1", now_us() - 3_600_000_000, campaigns, keys, count % CAMPAIGNS, count % WATCHED_EVERY != 0, marks
    )
    begin, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (now - timedelta(hours=1), now + timedelta(days=30)))
    confirmed = Sanction(
        "s-1", (), (), campaigns[: CAMPAIGNS // 2], "confirmed", "measured", "ref-1", "bench", begin, end
    )
    return Given(
        SECRET, now_us(), now_us() + 30 * 86_400_000_000, 1, (run,), (confirmed,), verified=keys[::VERIFIED_EVERY]
    )


def random_marks(rng: np.random.Generator, at: int) -> Marks:
    core = tuple(sorted({int(value) for value in rng.integers(1, 2**32, CORE)}))
    links = tuple(Held(kind, f"{int(rng.integers(1, 2**63)):016x}", 40, 41) for kind in ("address", "client"))
    return Marks(
        f"c-{at % CAMPAIGNS + 1:016x}", f"f-{at:012x}", core, HITS_NEEDED, core[::2], OWN_NEEDED, 5_000, 100, 0, 0,
        links, None,
    )  # fmt: skip


def template_marks() -> Marks:
    """Learn the signature of the template as a run does: what half of its calls carry."""
    seed = np.uint64(Key.derive(SECRET, "shingles").first)
    held: Counter[int] = Counter()
    texts = prompts(64, template=True)
    for text in texts:
        data = np.frombuffer(text.encode(), np.uint8)
        held.update(set(call_shingles(data[:0], data, seed).tolist()) - {0})
    core = tuple(sorted(value for value, times in held.items() if times >= len(texts) / 2))
    assert len(core) >= HITS_NEEDED, "the template is too short for a signature"
    return Marks(
        f"c-{1:016x}", f"f-{0:012x}", core[:CORE], HITS_NEEDED, core[:OWN], OWN_NEEDED, 5_000, 100, 0, 0, (), None
    )


def account(at: int) -> str:
    return f"account-{at}"


def confirmed_accounts(count: int, size: Size) -> list[str]:
    """Return accounts that a person confirmed: named ones of the first half of the campaigns."""
    found: list[str] = []
    for at in range(size.accounts):
        if at % CAMPAIGNS < CAMPAIGNS // 2 and at % WATCHED_EVERY:
            found.append(account(at))
            if len(found) == count:
                break
    return found


def prompts(count: int, size_bytes: int = PROMPT_BYTES, template: bool = False) -> list[str]:
    """Return texts of words drawn at random, no two alike; those of the template begin with the same ones."""
    starts, data = vocabulary()
    words = [data[starts[at] : starts[at + 1]].tobytes().decode() for at in range(VOCABULARY)]
    rng = np.random.default_rng((SEED, size_bytes, template))

    def drawn(size: int) -> str:
        return " ".join(words[at] for at in rng.integers(0, VOCABULARY, size // 3))[:size]

    begin = drawn(TEMPLATE_BYTES) + " " if template else ""
    return [begin + drawn(size_bytes - len(begin)) for _ in range(count)]


def calls(accounts: Sequence[str], texts: Sequence[str], count: int) -> list[Call]:
    """Return calls of accounts in turn, as a gateway shows them."""
    begin = now_us()
    return [
        Call(
            begin + at * LINES_US, accounts[at % len(accounts)], "model-a", organization_id=f"organization-{at % 997}",
            credential_id=f"credential-{at % 4_999}", session_id=f"session-{at}", access_path="api",
            client_ip=f"198.51.100.{at % 250}", tls_fingerprint="t13d1516h2_8daaf6152771_02713d6af862",
            user_agent="client/1.2", operation="chat", input_text=texts[at % len(texts)], turn_index=1,
            temperature=0.5, max_tokens=400, stream=True,
        )
        for at in range(count)
    ]  # fmt: skip


def strangers(count: int, what: str = "stranger") -> list[str]:
    return [f"{what}-{at}" for at in range(count)]


def guardrail_bodies(accounts: Sequence[str], texts: Sequence[str]) -> list[bytes]:
    """Return what LiteLLM asks before a call, one body for each account."""
    return [
        json.dumps(
            {
                "input_type": "request", "litellm_call_id": f"call-{name}", "model": "model-a",
                "texts": [texts[at % len(texts)]],
                "structured_messages": [{"role": "user", "content": texts[at % len(texts)]}],
                "tools": None, "additional_provider_specific_params": {},
                "request_data": {"user_api_key_hash": f"{at:064x}", "user_api_key_user_id": name},
                "request_headers": {"user-agent": "client/1.2", "content-type": "[present]"},
            }
        ).encode()
        for at, name in enumerate(accounts)
    ]  # fmt: skip

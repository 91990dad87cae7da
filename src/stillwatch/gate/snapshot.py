"""A snapshot that is asked call by call: a few look-ups in its columns, and one pass over the call's text.

A snapshot never changes once it is open, and holds no scratch: any number of threads may ask it at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import Error
from stillwatch.gate import snapshot_file
from stillwatch.gate.contract import Call, Recognition, Tier
from stillwatch.gate.snapshot_file import Columns, Head, SnapshotFile
from stillwatch.kernels.single import first_place, look_at_text, look_up_names, name_keys
from stillwatch.pseudonym import Key, key_ident

TIERS: tuple[Tier, ...] = ("none", "watch", "recognised", "suspected", "confirmed", "cleared")
"""What a number in a column of tiers stands for."""

VERIFIED, DECIDED = 1, 2
"""Bits of `account_flags`: the provider knows who it is; a person decided its tier."""

RARE_KINDS = ("address", "client", "credential", "end user")
"""What a number in `rare_kind` stands for: values that a single call shows."""

_NOTHING = np.zeros(0, dtype=np.uint8)


def open_snapshot(path: Path, public_pems: dict[str, bytes], secret: bytes, now_us: int) -> OpenSnapshot:
    """Open a snapshot that one of the trusted keys (file name → PEM) has signed.

    Raises:  no-such-snapshot, snapshot-broken, snapshot-version, snapshot-cut, snapshot-forged, snapshot-untrusted,
             snapshot-other-key, snapshot-future, snapshot-expired.
    """
    opened = snapshot_file.read(path, public_pems)
    snapshot_file.check(opened.head, key_ident(secret), now_us, str(path))
    _check_columns(opened.columns, str(path))
    snapshot = OpenSnapshot(opened, secret)
    # The first call would wait for the kernels.
    snapshot.recognise(Call(now_us, "nobody", "none", input_text="nothing"))
    return snapshot


def key_of_block(secret: bytes) -> Callable[[str], int]:
    """Return what turns the digest of a reasoning block into its pseudonym, as `recognise` does."""
    halves = _halves(secret)
    return lambda block: int(name_keys(_spelt((block,)), 1, *halves)[0])


def _halves(secret: bytes) -> tuple[np.uint64, np.uint64]:
    key = Key.derive(secret, "identifiers")
    return np.uint64(key.first), np.uint64(key.second)


def _spelt(names: tuple[str | None, ...]) -> NDArray[np.uint8]:
    """Return names as `kernels.single.name_keys` takes them; one that is absent is empty.

    A lone surrogate, which no log can hold, becomes a question mark.
    """
    spelt = [name.encode("utf-8", "replace") if name else b"" for name in names]
    return np.frombuffer(struct.pack(f"<{len(spelt)}I", *map(len, spelt)) + b"".join(spelt), np.uint8)


class OpenSnapshot:
    """A snapshot in memory (`contract.Snapshot`)."""

    def __init__(self, opened: SnapshotFile, secret: bytes) -> None:
        self._head, self._ident, self._columns = opened.head, opened.ident, opened.columns
        self._halves = _halves(secret)
        self._seed = np.uint64(Key.derive(secret, "shingles").first)
        held = opened.columns
        self._accounts, self._organizations = held["account_key"], held["organization_key"]
        self._rare, self._grantees = held["rare_key"], held["grantee_key"]
        self._table = tuple(
            held[name].reshape(-1, 2) if name == "signature_needed" else held[name]
            for name in (
                *("own", "own_starts", "own_signatures", "core", "core_starts"),
                *("signature_needed", "signature_outside", "signature_expires_us"),
            )
        )

    @property
    def ident(self) -> str:
        """The name of what the snapshot says: a digest of it."""
        return self._ident

    @property
    def head(self) -> Head:
        """What it says of itself."""
        return self._head

    def recognise(self, call: Call) -> Recognition:
        """Look one call up: who it is of, which campaign's signature it carries, which grant covers it.

        An expired snapshot knows nobody. What is cleared carries no signature.

        Cost:    O(bytes of its text), some 20 µs for 4 KB.
        """
        names = (call.account_id, call.organization_id, call.request_model, *call.presented_blocks)
        keys, at_account, at_organization = look_up_names(
            _spelt(names), len(names), *self._halves, self._accounts, self._organizations
        )
        account, organization, model, *blocks = keys.tolist()
        if call.time_us >= self._head.expires_us:
            return Recognition(account, organization, model, block_keys=tuple(blocks))
        tier, cluster, verified = self._standing(at_account, at_organization, call.time_us)
        at, hits = (-1, 0) if tier == "cleared" else self._signature(call)
        held = self._columns
        told: dict[str, object] = {}
        if at >= 0:
            carried = int(held["signature_cluster"][at])
            if tier == "none":
                tier, cluster = "recognised", carried
            told = {
                "signature": f"f-{held['signature_id'][at]:012x}",
                "signature_hits": hits,
                "outside_accounts": int(held["signature_outside"][at]),
                "signature_ban_us": int(held["campaign_ban_us"][carried - 1]),
            }
        if cluster:
            told["campaign_id"] = f"c-{held['campaign_id'][cluster - 1]:016x}"
            told["infrastructure"] = self._infrastructure(call, cluster) if len(self._rare) else 0
        if len(self._grantees):
            told |= self._grant(keys, call.time_us)
        return Recognition(
            account, organization, model, tier, cluster, verified=verified, block_keys=tuple(blocks), **told  # type: ignore[arg-type]
        )  # fmt: skip

    def _signature(self, call: Call) -> tuple[int, int]:
        if not len(self._table[0]):
            return -1, 0
        at, hits = look_at_text(
            _bytes(call.system_prompt), _bytes(call.input_text), self._seed, self._table, call.time_us
        )
        return int(at), int(hits)

    def _standing(self, at_account: int, at_organization: int, now_us: int) -> tuple[Tier, int, bool]:
        """Return an account's tier, its campaign's number, and whether the provider knows who it is.

        What is cleared is cleared, whichever of account and organisation is. A decision about the account goes before
        one about its organisation, and that before what a run found.
        """
        held = self._columns
        found, cluster, decided, verified = 0, 0, False, False
        if at_account >= 0:
            flags = int(held["account_flags"][at_account])
            verified = bool(flags & VERIFIED)
            if held["account_expires_us"][at_account] > now_us:
                found, decided = int(held["account_tier"][at_account]), bool(flags & DECIDED)
                cluster = int(held["account_cluster"][at_account])
        if at_organization >= 0 and held["organization_expires_us"][at_organization] > now_us:
            owner = int(held["organization_tier"][at_organization])
            if TIERS[owner] == "cleared" or not (decided or TIERS[found] == "cleared"):
                found = owner
        return TIERS[found], cluster, verified

    def _infrastructure(self, call: Call, cluster: int) -> int:
        """Count the rare values of a campaign that a call shows."""
        held, count = self._columns, 0
        names = (call.client_ip, call.tls_fingerprint, call.credential_id, call.end_user_id)
        for kind, key in enumerate(name_keys(_spelt(names), len(names), *self._halves)):
            place = first_place(self._rare, key)
            while 0 <= place < len(self._rare) and self._rare[place] == key:
                if held["rare_kind"][place] == kind and held["rare_cluster"][place] == cluster:
                    count += 1
                    break
                place += 1
        return count

    def _grant(self, keys: NDArray[np.uint64], now_us: int) -> dict[str, object]:
        """Return the first grant, by name, that covers a call: its account or organisation, its model, its time."""
        held, covering = self._columns, []
        for key in keys[:2]:
            place = first_place(self._grantees, key)
            while 0 <= place < len(self._grantees) and self._grantees[place] == key:
                at = int(held["grantee_grant"][place])
                first, last = held["grant_model_starts"][at : at + 2]
                in_time = held["grant_begins_us"][at] <= now_us < held["grant_expires_us"][at]
                if in_time and first_place(held["grant_models"][first:last], keys[2]) >= 0:
                    covering.append(at)
                    break
                place += 1
        if not covering:
            return {}
        at = min(covering)
        return {
            "grant_id": f"g-{held['grant_id'][at]:016x}",
            "grant_calls_max": int(held["grant_calls_max"][at]),
            "grant_output_tokens_max": int(held["grant_output_tokens_max"][at]),
        }


def _bytes(text: str | None) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8", "replace"), np.uint8) if text else _NOTHING


def _check_columns(held: Columns, where: str) -> None:
    """Refuse columns that do not fit one another: a look-up checks no place again.

    Raises:  snapshot-broken.
    """
    if not all(_fits(held)):
        raise Error("snapshot-broken", "it is no snapshot that can be used: its columns do not fit", where=where)


def _fits(held: Columns) -> list[bool]:
    sizes = {name: len(column) for name, column in held.items()}
    campaigns, signatures, grants = sizes["campaign_id"], sizes["signature_id"], sizes["grant_id"]
    return [
        *(sizes[f"account_{name}"] == sizes["account_key"] for name in ("tier", "flags", "cluster", "expires_us")),
        *(sizes[f"organization_{name}"] == sizes["organization_key"] for name in ("tier", "expires_us")),
        *(sizes[f"signature_{name}"] == signatures for name in ("cluster", "outside", "expires_us")),
        *(sizes[f"rare_{name}"] == sizes["rare_key"] for name in ("kind", "cluster")),
        *(sizes[f"grant_{name}"] == grants for name in ("begins_us", "expires_us", "calls_max", "output_tokens_max")),
        sizes["campaign_ban_us"] == campaigns,
        sizes["signature_needed"] == 2 * signatures,
        sizes["own_signatures"] == sizes["own"],
        sizes["grantee_grant"] == sizes["grantee_key"],
        *(_ascending(held[name]) for name in ("account_key", "organization_key", "own", "rare_key", "grantee_key")),
        *(_below(held[f"{name}_cluster"], campaigns + 1) for name in ("account", "signature", "rare")),
        bool((held["signature_cluster"] > 0).all()),
        *(_below(held[f"{name}_tier"], len(TIERS)) for name in ("account", "organization")),
        _below(held["own_signatures"], signatures),
        _below(held["grantee_grant"], grants),
        _starts(held["core_starts"], signatures, sizes["core"]),
        _starts(held["grant_model_starts"], grants, sizes["grant_models"]),
        _starts(held["own_starts"], _drawers(sizes["own_starts"]), sizes["own"]),
    ]


def _ascending(column: NDArray[Any]) -> bool:
    return bool((column[1:] >= column[:-1]).all())


def _below(column: NDArray[Any], end: int) -> bool:
    return not len(column) or (int(column.min()) >= 0 and int(column.max()) < end)


def _starts(column: NDArray[Any], parts: int, end: int) -> bool:
    return len(column) == parts + 1 and int(column[0]) == 0 and int(column[-1]) == end and _ascending(column)


def _drawers(count: int) -> int:
    """Return how many drawers a directory of so many places has, which is a power of two; -1 where it is none."""
    drawers = count - 1
    return drawers if drawers >= 4 and drawers & (drawers - 1) == 0 else -1

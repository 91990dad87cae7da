"""One TOML file → what a gate is told: where it listens, what it decides from, which doors are open.

A name that is not known is refused with the nearest that is. Secrets stand in files of their own, never in this one.
Paths are meant from the folder in which the file lies, so that a gate starts the same from anywhere.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from stillwatch.config import nearest, read_toml
from stillwatch.errors import Error

Port = Annotated[int, Meta(ge=0, le=65_535)]
"""0 lets the system choose, which is what tests want."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Milliseconds = Annotated[int, Meta(ge=1, le=60_000)]

LogLevel = Literal["debug", "info", "warning", "error"]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the file; names are spelt in kebab case."""


class Listen(_Part, frozen=True):
    """Where gateways ask. With a token they must send it as `x-stillwatch-token`."""

    host: str = "127.0.0.1"
    port: Port = 8440
    token_file: str | None = None


class Admin(_Part, frozen=True):
    """Where operators look; never the port that gateways use."""

    host: str = "127.0.0.1"
    port: Port = 8441
    token_file: str | None = None


class SnapshotFile(_Part, frozen=True):
    """The signed snapshot, and the public keys of those who may sign it. In `sequence_file` the gate keeps which one it
    has taken, so that no older one is taken after a restart."""

    file: str
    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    refresh_seconds: Seconds = 5.0
    sequence_file: str = "snapshot.sequence"


class PolicyFile(_Part, frozen=True):
    """The rules."""

    file: str


class StatePlace(_Part, frozen=True):
    """Where calls are remembered: `memory`, or the address of a Redis for several replicas."""

    url: str = "memory"
    password_file: str | None = None
    timeout_ms: Milliseconds = 20


class Doors(_Part, frozen=True):
    """Which doors are open."""

    guardrail: bool = True
    decisions: bool = True
    forward_auth: bool = True
    proxy: bool = False
    envoy: bool = False


class Limits(_Part, frozen=True):
    """What a request may be, and how long it may take."""

    body_bytes_max: Annotated[int, Meta(ge=1_024, le=1 << 30)] = 64 << 20
    headers_count_max: Annotated[int, Meta(ge=8, le=10_000)] = 200
    header_bytes_max: Annotated[int, Meta(ge=1_024, le=1 << 20)] = 65_536
    deadline_ms: Milliseconds = 100
    read_seconds: Seconds = 10.0
    concurrency_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    drain_seconds: Annotated[int, Meta(ge=1, le=3_600)] = 20


class CapturePlace(_Part, frozen=True):
    """Where calls are kept as canonical events: a folder or any fsspec location, and a spool on a local disk."""

    dir: str
    spool: str
    format: Literal["jsonl", "parquet"] = "parquet"
    rotate_seconds: Seconds = 60.0
    spool_bytes_max: Annotated[int, Meta(ge=1 << 20, le=1 << 44)] = 1 << 30


class UpstreamPlace(_Part, frozen=True):
    """Where the reverse proxy sends what passes. `unknown` says what becomes of a request that is no model call."""

    url: str
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = 600.0
    idle_seconds: Seconds = 4.0
    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    trust_forwarded: bool = False
    reserved: tuple[str, ...] = ()
    unknown: Literal["pass", "refuse"] = "pass"


class Envoy(_Part, frozen=True):
    """Where Envoy's checks are answered."""

    host: str = "127.0.0.1"
    port: Port = 8442


class Telemetry(_Part, frozen=True):
    """What is told to whom; without an endpoint nothing is traced."""

    otlp_endpoint: str | None = None
    log_level: LogLevel = "info"


class GateSettings(_Part, frozen=True):
    """The whole file. `folder` is where it lies; `identity` names for a column of a call the headers that carry it."""

    key_file: str
    snapshot: SnapshotFile
    policy: PolicyFile
    listen: Listen = Listen()
    admin: Admin = Admin()
    state: StatePlace = StatePlace()
    doors: Doors = Doors()
    limits: Limits = Limits()
    identity: dict[str, tuple[str, ...] | bool] = field(default_factory=dict)
    capture: CapturePlace | None = None
    upstream: UpstreamPlace | None = None
    envoy: Envoy = Envoy()
    telemetry: Telemetry = Telemetry()
    folder: str = field(name="folder", default=".")

    def path(self, named: str) -> Path:
        """Return a path that the file names, seen from the file's folder."""
        return Path(self.folder) / named


IDENTITY_COLUMNS = (
    "account_id", "organization_id", "credential_id", "end_user_id", "session_id", "access_path", "client_ip",
    "tls_fingerprint", "user_agent", "key",
)  # fmt: skip
"""Columns that a header can carry; `key` are the headers whose digest stands for an account that none names."""

ACCOUNT_BY_KEY = "account_by_key"


def load(path: Path) -> GateSettings:
    """Read and check a gate's settings; no file that they name is opened.

    Raises:  Error `no-such-config`, `config-not-toml`, `unknown-setting`, `wrong-gate-setting`, `admin-needs-token`.
    """
    raw = read_toml(path)
    _refuse_unknown(raw, GateSettings, "", str(path))
    raw["folder"] = str(path.parent)
    try:
        settings = msgspec.convert(raw, GateSettings)
    except msgspec.ValidationError as error:
        raise _wrong(_plain(str(error)), str(path)) from error
    _check(settings, str(path))
    return settings


def read_token(path: Path) -> bytes:
    """Return the token in a file, without white space at its ends.

    Raises:  Error `no-such-token-file`.
    """
    try:
        token = path.read_bytes()[: TOKEN_BYTES_MAX + 1].strip()
    except OSError as error:
        raise _bad_token("the token file cannot be read", path) from error
    if not TOKEN_BYTES_MIN <= len(token) <= TOKEN_BYTES_MAX:
        raise _bad_token(f"expected a token of {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes, got another length", path)
    return token


TOKEN_BYTES_MIN = 16
"""A shorter one could be guessed."""

TOKEN_BYTES_MAX = 1_024
"""A longer one would not fit every proxy's bound on a header."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(settings: GateSettings, where: str) -> None:
    """Refuse what each value allows and all of them together do not."""
    listen, admin = settings.listen, settings.admin
    if not is_loopback(admin.host) and admin.token_file is None:
        raise Error(
            "admin-needs-token",
            "the admin address can be reached from other machines and has no token",
            hint="name a file with [admin] token-file, or listen on 127.0.0.1",
            where=where,
        )
    if admin.port and admin.port == listen.port:
        raise _wrong("[admin] port is that of [listen], and must be another", where)
    if settings.doors.proxy and settings.upstream is None:
        raise _wrong("[doors] proxy is on and there is no [upstream]", where)
    for name, url, schemes in (
        ("[upstream] url", settings.upstream.url if settings.upstream else None, ("http", "https")),
        ("[telemetry] otlp-endpoint", settings.telemetry.otlp_endpoint, ("http", "https")),
        ("[state] url", None if settings.state.url == "memory" else settings.state.url, ("redis", "rediss", "unix")),
    ):
        if url is not None:
            _check_url(name, url, schemes, where)
    for column, headers in settings.identity.items():
        if column != ACCOUNT_BY_KEY and column not in IDENTITY_COLUMNS:
            raise _unknown(column, (*IDENTITY_COLUMNS, ACCOUNT_BY_KEY), "identity.", where)
        if isinstance(headers, bool) != (column == ACCOUNT_BY_KEY):
            raise _wrong(
                f"[identity] {column} takes {'true or false' if column == ACCOUNT_BY_KEY else 'a list'}", where
            )


def _check_url(name: str, url: str, schemes: tuple[str, ...], where: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise _wrong(f"{name} has a wrong value: expected {' or '.join(f'{each}://…' for each in schemes)}", where)
    if parts.password or parts.username:
        raise _wrong(f"{name} holds a secret, which belongs in a file of its own", where)


def _refuse_unknown(raw: object, kind: type[Struct], prefix: str, where: str) -> None:
    """Walk the tables of the file as far as they are what they should be; the rest is for the conversion to refuse."""
    if not isinstance(raw, dict):
        return
    known = {each.encode_name: each.type for each in msgspec.structs.fields(kind) if each.name != "folder"}
    for name, value in raw.items():
        if name not in known:
            raise _unknown(name, tuple(known), prefix, where)
        inner = _struct_in(known[name])
        if inner is not None:
            _refuse_unknown(value, inner, f"{prefix}{name}.", where)


def _struct_in(kind: Any) -> type[Struct] | None:
    for each in (kind, *getattr(kind, "__args__", ())):
        if isinstance(each, type) and issubclass(each, Struct):
            return each
    return None


def _unknown(name: str, known: tuple[str, ...], prefix: str, where: str) -> Error:
    return Error(
        "unknown-setting",
        f"there is no setting named {(prefix + name)[:60]!r}",
        where=where,
        hint=nearest(name, known),
    )


def _wrong(message: str, where: str) -> Error:
    return Error("wrong-gate-setting", message, where=where, hint="docs/gate.md says what each setting takes")


def _plain(message: str) -> str:
    """Return a sentence of msgspec as ours are: lower case, the place in brackets of TOML."""
    return message[:1].lower() + message[1:].replace("`$.", "`").replace("`$`", "the file").replace(" - at ", " at ")


def _bad_token(message: str, path: Path) -> Error:
    return Error(
        "no-such-token-file",
        message,
        where=str(path),
        hint="make one with: head -c 32 /dev/urandom | base64 > gate.token",
    )

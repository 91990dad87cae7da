"""What a reverse proxy may forward: the upstream's address, targets, headers in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from stillwatch.errors import Error

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
    }
)
"""Headers of one connection, which end at it (RFC 9110, 7.6.1); `expect` is answered by the server before us."""

FRAMING = frozenset(
    {b"connection", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"host"}
)

FORWARDED = frozenset({b"forwarded", b"x-real-ip"})
FORWARDED_PREFIX = b"x-forwarded-"

RESERVED_PREFIX = b"x-stillwatch-"
"""Headers that only the gate writes; a caller's are dropped, so that a tag can be believed."""

TARGET = re.compile(rb"/[!-~]*")
"""A path in origin form, of visible ASCII: no absolute form, no authority, no asterisk, no control character."""

TARGETS_MAX = 128
"""Targets whose check is remembered: an API has some dozens; a hostile one is as long as a server takes."""

QUERY = re.compile(rb"[!-~]*")


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where calls go, and how long and how often: from the settings file, never from a request.

    `base_url` is scheme, host and a path before every call's. `trust_forwarded` is on where another proxy of yours
    stands before the gate: its X-Forwarded-* are kept and ours appended; else a caller's are dropped. `reserved` are
    headers that only your own edge or the gate writes, besides X-Stillwatch-*: a caller's are dropped.

    Units:   seconds.
    """

    base_url: str
    connect_s: float = 5.0
    read_s: float = 600.0
    idle_s: float = 4.0
    connections_max: int = 1000
    trust_forwarded: bool = False
    reserved: tuple[str, ...] = ()


def base_of(base_url: str) -> tuple[str, str]:
    """Return the upstream's origin and the path before every target, without a slash at its end.

    Raises:  Error `upstream-not-usable`.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.password is None
    if not plain or parts.query or parts.fragment or not re.fullmatch(r"(?:/[!-~]*)?", parts.path):
        raise Error(
            "upstream-not-usable",
            "the upstream is no address of the kind http://host:port/path",
            hint="write keys into headers, not into the address, and leave query and fragment away",
        )
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    return f"{parts.scheme}://{host}" + (f":{port}" if port else ""), parts.path.rstrip("/")


@lru_cache(TARGETS_MAX)
def is_safe_target(path: bytes, query: bytes) -> bool:
    """Tell whether a target can be joined to the upstream's path and stays below it, however it is decoded."""
    if not TARGET.fullmatch(path) or b"#" in path or not QUERY.fullmatch(query):
        return False
    decoded = unquote(path.decode("ascii"), errors="replace")
    if "\\" in decoded or any(character < " " or character == "\x7f" for character in decoded):
        return False
    segments = [segment.partition(";")[0] for segment in decoded.split("/")]
    return not any(unquote(segment).strip() in (".", "..") for segment in segments)


def without_callers_marks(headers: Iterable[tuple[bytes, bytes]], reserved: Iterable[str] = ()) -> Headers:
    """Return headers without those that a caller must not write: `reserved`, and all under the gate's own prefix."""
    names = {spelt_alike(name.encode()) for name in reserved}
    return [
        (name, value)
        for name, value in headers
        if not (alike := spelt_alike(name)).startswith(RESERVED_PREFIX) and alike not in names
    ]


def believed(headers: Iterable[tuple[bytes, bytes]], settings: UpstreamSettings) -> Headers:
    """Return the headers of a request that the gate takes at their word and passes on.

    What `connection` calls its own ends here, before anything is written, so that no caller can call a tag away.
    """
    kept = without_callers_marks(headers, settings.reserved)
    dropped = named_by_connection(kept)
    return [
        (name, value)
        for name, value in kept
        if name.lower() not in dropped
        and (
            settings.trust_forwarded
            or not ((alike := spelt_alike(name)).startswith(FORWARDED_PREFIX) or alike in FORWARDED)
        )
    ]


def sent_headers(headers: Headers, peer: str | None, scheme: str) -> Headers:
    """Return believed headers as they go to the upstream, without the caller's `host` and those of his connection.

    The peer is told in X-Forwarded-For, after what is believed of it; its scheme and host where nobody told before.
    """
    dropped = HOP_BY_HOP | {b"host", b"x-forwarded-for"}
    sent = [(name.lower(), value) for name, value in headers if name.lower() not in dropped]
    told = {name for name, _ in sent}
    hops = [value for name, value in headers if name.lower() == b"x-forwarded-for"]
    sent.append((b"x-forwarded-for", b", ".join([*hops, (peer or "unknown").encode()])))
    if b"x-forwarded-proto" not in told:
        sent.append((b"x-forwarded-proto", scheme.encode()))
    host = next((value for name, value in headers if name.lower() == b"host"), None)
    if host is not None and b"x-forwarded-host" not in told:
        sent.append((b"x-forwarded-host", host))
    return sent


def returned_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of a reply that go on to the caller."""
    listed = list(headers)
    dropped = HOP_BY_HOP | named_by_connection(listed)
    return [(name.lower(), value) for name, value in listed if name.lower() not in dropped]


def named_by_connection(headers: Headers) -> set[bytes]:
    """Return the names of headers that `connection` says end there; what frames a body cannot be called away."""
    names: set[bytes] = set()
    for name, value in headers:
        if name.lower() == b"connection":
            names |= {token.strip().lower() for token in value.split(b",")}
    return names - FRAMING


def is_passable(headers: Headers) -> bool:
    """Tell whether headers name one host and are text, so that they mean the same upstream as here."""
    hosts = 0
    for name, value in headers:
        hosts += name.lower() == b"host"
        if any(octet < 32 and octet != 9 for octet in value) or not name.isascii():
            return False
        try:
            value.decode()
        except UnicodeDecodeError:
            return False
    return hosts <= 1


def spelt_alike(name: bytes) -> bytes:
    """Return a header's name as servers know it that take an underscore for a hyphen."""
    return name.lower().replace(b"_", b"-")

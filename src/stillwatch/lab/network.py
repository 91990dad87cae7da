"""Addresses, networks, clients: where simulated callers come from.

Addresses are drawn from 240.0.0.0/4 and network numbers from the private range, which belong to
nobody. No network stands for a country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.streams import stream

Words32 = npt.NDArray[np.uint32]

ASN_BASE = 4_200_000_000
"""First private 32-bit network number (RFC 6996)."""

_ADDRESS_BASE = 0xF000_0000
_NETWORK_BITS = 20
"""Each network owns 2^20 addresses: 256 networks fill 240.0.0.0/4."""


@dataclass(frozen=True, slots=True)
class Access:
    """A way onto the internet.

    `hosts` is how many addresses of one network are in use: few make many strangers meet.
    `span_max` is how many addresses one subscriber wanders over.
    """

    first_network: int
    networks_count: int
    hosts: int
    span_max: int


ACCESS: Mapping[str, Access] = MappingProxyType(
    {
        "home": Access(0, 96, 1 << 18, 3),
        "mobile": Access(96, 32, 400, 30),
        "cloud": Access(128, 32, 1 << 17, 6),
        "office": Access(160, 80, 1 << 14, 1),
        "vpn": Access(240, 12, 220, 12),
        "hosting": Access(252, 4, 1 << 17, 1),
    }
)


@dataclass(frozen=True, slots=True)
class Places:
    """Shapes: all [n]. `span` addresses from `address` on are used by the account, all of network `asn`."""

    address: Words32
    span: Words32
    asn: npt.NDArray[np.int64]


def places(rng: np.random.Generator, count: int, weights: Mapping[str, float]) -> Places:
    """Draw where accounts come from; `weights` says how many use which way."""
    names = list(weights)
    chance = np.array([weights[name] for name in names])
    which = rng.choice(len(names), count, p=chance / chance.sum())
    network = np.zeros(count, np.int64)
    host = np.zeros(count, np.int64)
    span = np.ones(count, np.int64)
    for index, name in enumerate(names):
        access, chosen = ACCESS[name], np.flatnonzero(which == index)
        rank = rng.random(len(chosen)) ** 2.2
        network[chosen] = access.first_network + (rank * access.networks_count).astype(np.int64)
        host[chosen] = rng.integers(0, access.hosts, len(chosen))
        span[chosen] = rng.integers(1, access.span_max + 1, len(chosen))
        span[chosen] = np.minimum(span[chosen], access.hosts - host[chosen])
    return _as_places(network, host, span)


def blocks(rng: np.random.Generator, count: int, blocks_count: int, access: str = "hosting") -> Places:
    """Draw addresses from a few blocks of 256, as rented servers or one proxy seller have them."""
    way = ACCESS[access]
    network = way.first_network + rng.integers(0, way.networks_count, blocks_count)
    first = rng.integers(0, way.hosts >> 8, blocks_count) << 8
    chosen = rng.integers(0, blocks_count, count)
    return _as_places(network[chosen], first[chosen] + rng.integers(1, 255, count), np.ones(count, np.int64))


def one_address(rng: np.random.Generator, count: int, exits: int = 1) -> Places:
    """Draw the few exits of one campus or office; every account uses all of them."""
    way = ACCESS["office"]
    network = np.full(count, way.first_network + int(rng.integers(0, way.networks_count)), np.int64)
    host = np.full(count, way.hosts + int(rng.integers(0, 1 << 15)), np.int64)
    return _as_places(network, host, np.full(count, exits, np.int64))


def _as_places(network: npt.NDArray[np.int64], host: npt.NDArray[np.int64], span: npt.NDArray[np.int64]) -> Places:
    address = _ADDRESS_BASE + (network << _NETWORK_BITS) + host
    return Places(address.astype(np.uint32), span.astype(np.uint32), ASN_BASE + network)


def network_of(address: Words32) -> npt.NDArray[np.int64]:
    """Return the network number that owns each address."""
    owner: npt.NDArray[np.int64] = ASN_BASE + ((address.astype(np.int64) - _ADDRESS_BASE) >> _NETWORK_BITS)
    return owner


def address_text(address: Words32) -> pa.StringArray:
    """Write addresses in dotted form; null for 0."""
    octets = _octets()
    parts = [octets.take(pa.array((address >> np.uint32(s)) & np.uint32(255))) for s in (24, 16, 8, 0)]
    texts = pc.binary_join_element_wise(*parts, ".")
    known = address != 0
    if known.all():
        return texts
    return pc.if_else(pa.array(known), texts, pa.scalar(None, pa.string()))


@cache
def _octets() -> pa.StringArray:
    return pa.array([str(value) for value in range(256)], pa.string())


CLIENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "app": (
            "ProviderApp/2.31 (desktop)", "ProviderApp/2.30 (desktop)", "ProviderApp/5.4 (phone)",
            "ProviderApp/5.3 (phone)", "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19.0 Safari/605.1.15",
            "Mozilla/5.0 (Windows NT 10.0; rv:143.0) Gecko/20100101 Firefox/143.0",
        ),
        "python": (
            "Provider/Python 2.14.0", "Provider/Python 2.13.1", "Provider/Python 2.11.0",
            "Provider/Python 1.99.3", "AsyncProvider/Python 2.14.0", "AsyncProvider/Python 2.12.2",
            "python-requests/2.32.5", "python-requests/2.31.0", "python-httpx/0.28.1", "aiohttp/3.12.15",
            "langgraph/1.2.0 Provider/Python 2.13.1", "llamaindex/0.14 Provider/Python 2.12.2",
        ),
        "node": (
            "Provider/JS 6.8.0", "Provider/JS 6.7.1", "Provider/JS 5.20.0", "axios/1.12.2", "undici",
            "node-fetch/3.3.2", "ai-sdk/6.0.11 provider/3.0.2", "ai-sdk/5.0.60 provider/2.0.44", "n8n/1.112",
        ),
        "other": (
            "Go-http-client/2.0", "okhttp/5.1.0", "curl/8.15.0", "Java-http-client/21", "reqwest/0.12.23",
            "Provider/Go 1.9.0", "Provider/Java 2.6.1", "Faraday v2.13.4", "GuzzleHttp/7",
            "Dart/3.9 (dart:io)",
        ),
    }
)  # fmt: skip


@cache
def clients() -> tuple[pa.StringArray, pa.StringArray, Mapping[str, tuple[int, int]]]:
    """Return user agents, TLS fingerprints (`FINGERPRINTS_EACH` for each agent) and each family's range."""
    agents: list[str] = []
    ranges: dict[str, tuple[int, int]] = {}
    for family, names in CLIENTS.items():
        ranges[family] = (len(agents), len(agents) + len(names))
        agents.extend(names)
    rng = stream(0, "tls-fingerprints")
    libraries = [f"t13d{rng.integers(12, 20)}{rng.integers(8, 17):02d}h2_{_hex(rng)}_{_hex(rng)}" for _ in range(24)]
    prints = [libraries[int(rng.integers(0, 24))] for _ in range(len(agents) * FINGERPRINTS_EACH)]
    return pa.array(agents), pa.array(prints), MappingProxyType(ranges)


FINGERPRINTS_EACH = 3
"""One user agent is built on few TLS libraries, and many agents share one library."""


def _hex(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(0, 1 << 48)):012x}"


def draw_clients(
    rng: np.random.Generator, count: int, weights: Mapping[str, float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw user agents (indices) and their TLS fingerprints (indices) for `count` accounts."""
    _, _, ranges = clients()
    names = list(weights)
    chance = np.array([weights[name] for name in names])
    bounds = np.array([ranges[name] for name in names])[rng.choice(len(names), count, p=chance / chance.sum())]
    agent = bounds[:, 0] + (rng.random(count) ** 1.8 * (bounds[:, 1] - bounds[:, 0])).astype(np.int64)
    tls = agent * FINGERPRINTS_EACH + (rng.random(count) ** 2 * FINGERPRINTS_EACH).astype(np.int64)
    return agent, tls

"""Accounts of the simulated world: who signed up, how, and from where they call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.event import ACCOUNT_SCHEMA
from stillwatch.lab import network
from stillwatch.lab.streams import Keys, mix
from stillwatch.lab.words import general

DAY_US = 86_400_000_000

ACCOUNT = np.dtype(
    [
        ("key", "u8"), ("org", "u8"), ("created", "i8"), ("closed", "i8"), ("domain", "u8"), ("email", "u8"),
        ("phone", "u8"), ("payment", "u8"), ("signup_ip", "u4"), ("signup_tls", "i4"), ("programme", "i1"),
        ("verification", "i1"), ("plan", "i1"), ("use", "i1"), ("reseller", "?"), ("address", "u4"),
        ("span", "u4"), ("other_address", "u4"), ("agent", "i4"), ("tls", "i4"), ("path", "i1"),
        ("credentials", "i4"), ("banned", "?"),
    ]
)  # fmt: skip
"""One account. A key of 0, a time of 0 and an index of -1 stand for null. `other_address` is a second
place (a phone beside the desk) that a quarter of the sessions come from. Where an account is closed,
`banned` says that the provider did it."""

PROGRAMMES = ("education", "startup", "security-research", "nonprofit")
VERIFICATIONS = ("none", "email", "phone", "payment", "identity")
PLANS = ("free", "plus", "pro", "payg", "scale", "enterprise")
USES = (
    "personal", "coding", "customer support", "research", "education", "content", "data processing",
    "product feature",
)  # fmt: skip
PATHS = ("api", "batch", "subscription", "cloud:nimbus", "cloud:strata", "aggregator:openway")

PUBLIC_DOMAINS = 16
"""Mail providers that everybody uses: the domain keys below this number."""

DISPOSABLE_DOMAINS = 40
"""Throw-away mail domains: the next domain keys. Two in a hundred honest accounts use one."""

SIGN_UP_DAYS = 730
"""Accounts of the world signed up over two years."""


@dataclass(frozen=True, slots=True)
class Style:
    """How accounts of one sort look: where they are, what they call with, how they signed up."""

    access: Mapping[str, float]
    clients: Mapping[str, float]
    paid: float = 0.6
    phone: float = 0.6
    company: float = 0.0
    paths: Mapping[int, float] = field(default_factory=lambda: {0: 1.0})
    plans: tuple[int, ...] = (3,)
    roaming: float = 0.0
    new: float = 0.15


CONSUMER = Style(
    access={"home": 0.62, "mobile": 0.25, "vpn": 0.08, "office": 0.05},
    clients={"app": 1.0}, paid=0.45, phone=0.75, paths={2: 1.0}, plans=(0, 0, 1, 1, 2), roaming=0.5,
)  # fmt: skip
DEVELOPER = Style(
    access={"home": 0.5, "cloud": 0.25, "mobile": 0.07, "vpn": 0.1, "office": 0.08},
    clients={"python": 0.5, "node": 0.3, "other": 0.2}, paid=0.85, phone=0.5, company=0.15,
    paths={0: 0.86, 5: 0.09, 3: 0.05}, plans=(3, 3, 0), roaming=0.15,
)  # fmt: skip
BUSINESS = Style(
    access={"cloud": 0.8, "office": 0.17, "vpn": 0.03},
    clients={"python": 0.45, "node": 0.3, "other": 0.25}, paid=0.97, phone=0.3, company=1.0,
    paths={0: 0.75, 1: 0.08, 3: 0.1, 4: 0.07}, plans=(3, 4, 4, 5), new=0.06,
)  # fmt: skip


def enrol(rng: np.random.Generator, count: int, style: Style, start_us: int) -> npt.NDArray[np.void]:
    """Draw `count` accounts that signed up before `start_us`, each on its own."""
    drawn = np.zeros(count, ACCOUNT)
    for name in ("key", "email", "phone", "payment"):
        drawn[name] = rng.integers(1, 1 << 63, count, np.uint64)
    drawn["created"] = sign_ups(rng, count, style.new, start_us)
    drawn["phone"][rng.random(count) > style.phone] = 0
    drawn["payment"][rng.random(count) > style.paid] = 0
    _share(rng, drawn, "payment", 0.03)
    _share(rng, drawn, "phone", 0.01)
    at_work = rng.random(count) < style.company
    drawn["domain"] = np.where(at_work, drawn["key"] | np.uint64(1 << 20), _mail(rng, count))
    drawn["org"] = np.where(at_work, mix(drawn["key"], 7) >> np.uint64(1), 0)
    move_to(drawn, network.places(rng, count, style.access))
    roaming = rng.random(count) < style.roaming
    drawn["other_address"][roaming] = network.places(rng, int(roaming.sum()), {"mobile": 0.7, "home": 0.3}).address
    drawn["agent"], drawn["tls"] = network.draw_clients(rng, count, style.clients)
    drawn["signup_tls"] = network.draw_clients(rng, count, {"app": 1.0})[1]
    elsewhere = rng.random(count) < 0.55
    drawn["signup_ip"][elsewhere] = network.places(
        rng, int(elsewhere.sum()), {"home": 0.6, "mobile": 0.2, "office": 0.12, "vpn": 0.08}
    ).address
    drawn["programme"] = np.where(rng.random(count) < 0.04, rng.integers(0, len(PROGRAMMES), count), -1)
    drawn["verification"] = np.where(drawn["payment"] > 0, 3, np.where(drawn["phone"] > 0, 2, 1))
    drawn["verification"][rng.random(count) < 0.03] = 4
    drawn["plan"] = rng.choice(style.plans, count)
    drawn["use"] = np.where(rng.random(count) < 0.6, rng.integers(0, len(USES), count), -1)
    paths = list(style.paths)
    drawn["path"] = rng.choice(paths, count, p=np.array(list(style.paths.values())) / sum(style.paths.values()))
    drawn["credentials"] = np.where(drawn["path"] == 2, 0, rng.geometric(0.7, count))
    return drawn


def move_to(drawn: npt.NDArray[np.void], where: network.Places) -> None:
    """Make these places the ones that the accounts call and sign up from."""
    drawn["address"], drawn["span"], drawn["signup_ip"] = where.address, where.span, where.address


def sign_ups(rng: np.random.Generator, count: int, new: float, start_us: int) -> npt.NDArray[np.int64]:
    """Draw sign-up times: two years that grow, daily waves, crowded days, and `new` in the last three."""
    age = SIGN_UP_DAYS * rng.random(count) ** 1.6
    crowded = rng.random(count) < 0.06
    age[crowded] = rng.choice(np.floor(SIGN_UP_DAYS * np.linspace(0.01, 0.9, 9) ** 1.3), int(crowded.sum()))
    fresh = rng.random(count) < new
    age[fresh] = 3.0 * rng.random(int(fresh.sum()))
    day = np.floor(age)
    hour = np.clip(rng.normal(14.5, 4.2, count), 0.0, 23.99)
    created = start_us - (day + 1) * DAY_US + hour / 24 * DAY_US
    return created.astype(np.int64)


def _mail(rng: np.random.Generator, count: int) -> Keys:
    domain = (PUBLIC_DOMAINS * rng.random(count) ** 2.5).astype(np.uint64)
    thrown = rng.random(count) < 0.02
    domain[thrown] = PUBLIC_DOMAINS + rng.integers(0, DISPOSABLE_DOMAINS, int(thrown.sum()))
    return domain


def _share(rng: np.random.Generator, drawn: npt.NDArray[np.void], name: str, share: float) -> None:
    """Let this share of the accounts have a value in groups of two to four: families, one company's card."""
    members = np.flatnonzero((rng.random(len(drawn)) < share) & (drawn[name] > 0))
    place = np.arange(len(members))
    head = np.maximum.accumulate(np.where(rng.random(len(members)) < 0.4, place, 0))
    values = drawn[name][members]
    drawn[name][members] = np.where(place - head < 4, values[head], values)


_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def hex_text(keys: Keys, prefix: str = "", null_zero: bool = False) -> pa.StringArray:
    """Write each key as a prefix and 16 hex digits; null for 0 where `null_zero`."""
    head = prefix.encode()
    width = len(head) + 16
    written = np.empty((len(keys), width), np.uint8)
    written[:, : len(head)] = np.frombuffer(head, np.uint8)
    octets = keys.astype(">u8").view(np.uint8).reshape(len(keys), 8)
    written[:, len(head) :: 2] = _HEX[octets >> 4]
    written[:, len(head) + 1 :: 2] = _HEX[octets & 15]
    offsets = np.arange(0, (len(keys) + 1) * width, width, dtype=np.int32)
    valid = None
    if null_zero and not keys.all():
        valid = pa.py_buffer(np.packbits(keys != 0, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(written.reshape(-1)), valid)


def picked(names: tuple[str, ...], index: npt.NDArray[np.integer]) -> pa.StringArray:
    """Return the names by index; null for -1."""
    taken = pa.array(index.astype(np.int64), mask=index < 0)
    return pa.array(names, pa.string()).take(taken)


def account_table(drawn: npt.NDArray[np.void]) -> pa.Table:
    """Write the roster as the canonical account table."""
    columns = {
        "account_id": hex_text(drawn["key"], "acct_"),
        "organization_id": hex_text(drawn["org"], "org_", null_zero=True),
        "created_at": pa.array(drawn["created"].astype("M8[us]")),
        "closed_at": pa.array(drawn["closed"].astype("M8[us]"), mask=drawn["closed"] == 0),
        "closed_reason": picked(("user", "banned"), np.where(drawn["closed"] == 0, -1, drawn["banned"])),
        "email_domain": _domain_text(drawn["domain"]),
        "email_digest": hex_text(drawn["email"]),
        "phone_digest": hex_text(drawn["phone"], null_zero=True),
        "payment_digest": hex_text(drawn["payment"], null_zero=True),
        "signup_ip": network.address_text(drawn["signup_ip"]),
        "signup_tls_fingerprint": network.clients()[1].take(pa.array(drawn["signup_tls"])),
        "programme": picked(PROGRAMMES, drawn["programme"]),
        "verification": picked(VERIFICATIONS, drawn["verification"]),
        "plan": picked(PLANS, drawn["plan"]),
        "declared_use": picked(USES, drawn["use"]),
        "is_reseller": pa.array(drawn["reseller"]),
    }
    arrays = [columns[f.name].cast(f.type) for f in ACCOUNT_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=ACCOUNT_SCHEMA)


def _domain_text(domain: Keys) -> pa.StringArray:
    public = [f"mail{number}.example" for number in range(PUBLIC_DOMAINS)]
    thrown = [f"brief-inbox{number}.example" for number in range(DISPOSABLE_DOMAINS)]
    names = general.word_lists()["company"]
    known = len(public) + len(thrown)
    texts = [
        (public + thrown)[value] if value < known
        else f"{names[value % len(names)].lower().replace(' ', '-')}-{value >> 44:x}.example"
        for value in domain.tolist()
    ]  # fmt: skip
    return pa.array(texts, pa.string())

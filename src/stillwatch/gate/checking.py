"""Everything that a gate needs to start, tried one after the other, so that all faults are seen at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from stillwatch.config import read_key
from stillwatch.errors import Error
from stillwatch.gate.parts import now_us, open_state, public_keys, read_policy
from stillwatch.gate.server import listening
from stillwatch.gate.settings import GateSettings, read_token

Try = Callable[[], str] | Callable[[], Awaitable[str]]

BELIEVED = "who calls the proxy is believed in x-user-id and the like: name the headers of your edge under [identity]"
"""Said where a caller could choose the account that is decided about."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: what came of it, and the way out where it failed."""

    name: str
    ok: bool
    said: str
    hint: str = ""


async def checked(settings: GateSettings) -> list[Check]:
    """Try everything that the settings name."""
    return [await _tried(name, attempt) for name, attempt in _attempts(settings)]


async def _tried(name: str, attempt: Try) -> Check:
    try:
        said = attempt()
        return Check(name, True, said if isinstance(said, str) else await said)
    except Error as error:
        return Check(name, False, str(error), error.hint)
    except ImportError as error:
        return Check(name, False, f"{error.name} is not installed", 'pip install "stillwatch[gate]"')


def _attempts(settings: GateSettings) -> Iterator[tuple[str, Try]]:
    """Yield what is to be tried, by name."""
    yield "key-file", lambda: _read(settings)
    for table, file in (("listen", settings.listen.token_file), ("admin", settings.admin.token_file)):
        if file is not None:
            yield f"{table} token-file", lambda file=file: _token(settings, file)
    yield "policy", lambda: read_policy(settings, _secret(settings), now_us()).ident
    yield "snapshot keys", lambda: f"{len(public_keys(settings))}"
    yield "snapshot", lambda: _snapshot(settings)
    yield "state", lambda: _state(settings)
    if settings.doors.proxy and "account_id" not in settings.identity:
        yield "identity", lambda: BELIEVED
    places = [
        ("listen", settings.listen.host, settings.listen.port),
        ("admin", settings.admin.host, settings.admin.port),
    ]
    if settings.doors.envoy:
        places.append(("envoy", settings.envoy.host, settings.envoy.port))
    for table, host, port in places:
        yield f"{table} address", lambda host=host, port=port: _address(host, port)


def _secret(settings: GateSettings) -> bytes:
    secret = read_key(str(settings.path(settings.key_file)))
    assert secret is not None
    return secret


def _read(settings: GateSettings) -> str:
    _secret(settings)
    return settings.key_file


def _token(settings: GateSettings, file: str) -> str:
    read_token(settings.path(file))
    return file


def _snapshot(settings: GateSettings) -> str:
    from stillwatch.gate.snapshot import open_snapshot

    path = settings.path(settings.snapshot.file)
    ident: str = open_snapshot(path, public_keys(settings), _secret(settings), now_us()).ident
    return ident


async def _state(settings: GateSettings) -> str:
    state = open_state(settings)
    try:
        check = getattr(state, "check", None)
        if check is not None:
            await check()
    finally:
        await state.close()
    return settings.state.url


def _address(host: str, port: int) -> str:
    listening(host, port).close()
    return f"{host}:{port}"

"""The server: an answer always and in time, nothing dropped in a swap, operators on a port of their own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.gate.assembly import put_together, sockets_of, told_by
from stillwatch.gate.parts import now_us
from stillwatch.gate.service import Gate
from stillwatch.gate.settings import Admin, Limits, Listen
from tests.gate.gates import ask, is_open, serving, until
from tests.gate.values import ByTier, FewAccounts, OneSnapshot, Standing, settings_of

PATH = "/v1/decisions"
CALL = {"account_id": "acct-1", "request_model": "model-a"}
TOKEN = "a token that is long enough"


def test_a_call_is_decided_over_the_wire(tmp_path: Path) -> None:
    with serving(Standing().assembly(settings_of(tmp_path))) as gate:
        told = ask(gate.running.public_port, "POST", PATH, CALL).json()
    assert (told["rung"], told["refuse"]) == ("allow", False)


def test_a_slow_state_counts_as_away_in_time_and_whoever_is_known_stays_known(tmp_path: Path) -> None:
    standing = Standing()
    standing.state.seconds = 30
    with serving(standing.assembly(settings_of(tmp_path, limits=Limits(deadline_ms=50)))) as gate:
        begun = time.monotonic()
        known = ask(gate.running.public_port, "POST", PATH, {**CALL, "account_id": "acct-confirmed"}).json()
        unknown = ask(gate.running.public_port, "POST", PATH, CALL).json()
        assert time.monotonic() - begun < 5
        text = ask(gate.running.admin_port, "GET", "/metrics").body.decode()
    assert (known["refuse"], unknown["refuse"]) == (True, False)
    assert 'stillwatch_gate_alarms_total{ident="state-late"} 2.0' in text


def test_an_error_of_ours_is_an_answer_too_and_is_counted(tmp_path: Path) -> None:
    standing = Standing(policy=ByTier(closed=True))
    standing.keeper.snapshot = FewAccounts(fault=ZeroDivisionError("it holds a secret prompt"))
    with serving(standing.assembly(settings_of(tmp_path))) as gate:
        told = ask(gate.running.public_port, "POST", PATH, CALL).json()
    assert (told["refuse"], told["error"]) == (True, "internal-error")
    assert any('"internal-error"' in line for line in standing.lines)
    assert "secret prompt" not in "".join(standing.lines)


def test_a_body_that_is_too_large_is_no_call_that_was_decided(tmp_path: Path) -> None:
    standing = Standing(policy=ByTier(closed=True))
    with serving(standing.assembly(settings_of(tmp_path, limits=Limits(body_bytes_max=1_024)))) as gate:
        told = ask(gate.running.public_port, "POST", PATH, {**CALL, "input_text": "x" * 5_000}).json()
    assert (told["refuse"], told["error"]) == (True, "body-too-large")
    assert not standing.state.seen


def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, limits=Limits(read_seconds=0.1))
    with (
        serving(Standing().assembly(settings)) as gate,
        socket.create_connection(("127.0.0.1", gate.running.public_port), timeout=20) as slow,
    ):
        slow.sendall(b"POST /v1/decisions HTTP/1.1\r\nhost: gate\r\ncontent-length: 100\r\n\r\n{")
        assert slow.recv(1_024).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("said", [b"POST /v1/deci", b"POST /v1/decisions HTTP/1.1\r\nx-a: 1\r\nx-"])
def test_a_head_that_never_ends_is_given_up(tmp_path: Path, said: bytes) -> None:
    settings = settings_of(tmp_path, limits=Limits(read_seconds=0.1))
    with (
        serving(Standing().assembly(settings)) as gate,
        socket.create_connection(("127.0.0.1", gate.running.public_port), timeout=20) as slow,
    ):
        slow.sendall(said)
        assert slow.recv(1_024) == b""


def test_a_head_that_grows_past_its_bound_is_given_up(tmp_path: Path) -> None:
    def send_on(connection: socket.socket) -> None:
        connection.sendall(b"POST /v1/decisions HTTP/1.1\r\n")
        for number in range(100_000):
            connection.sendall(b"x-%d: %s\r\n" % (number, b"1" * 1_000))

    with serving(Standing().assembly(settings_of(tmp_path))) as gate:
        endless = socket.create_connection(("127.0.0.1", gate.running.public_port), timeout=20)
        with endless, pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_on(endless)


def test_a_connection_is_kept_for_many_calls(tmp_path: Path) -> None:
    with serving(
        Standing().assembly(settings_of(tmp_path, limits=Limits(read_seconds=0.2, deadline_ms=5_000)))
    ) as gate:
        connection = http.client.HTTPConnection("127.0.0.1", gate.running.public_port, timeout=30)
        statuses = []
        for wait in (0.0, 0.4, 0.0):
            threading.Event().wait(wait)
            connection.request("POST", PATH, json.dumps(CALL))
            response = connection.getresponse()
            statuses.append((response.status, len(response.read()) > 0))
        assert statuses == [(200, True)] * 3
        connection.close()


def test_too_many_headers_are_refused(tmp_path: Path) -> None:
    with serving(Standing().assembly(settings_of(tmp_path))) as gate:
        port = gate.running.public_port
        assert ask(port, "POST", PATH, CALL, {f"x-{n}": "1" for n in range(300)}).status == 431
        assert ask(port, "POST", PATH, CALL, {"x-long": "1" * 60_000, "x-more": "1" * 60_000}).status == 431


def test_more_calls_at_once_than_the_bound_get_the_policys_choice(tmp_path: Path) -> None:
    standing = Standing()
    standing.state.seconds = 1.0
    with serving(
        standing.assembly(settings_of(tmp_path, limits=Limits(concurrency_max=1, deadline_ms=20_000)))
    ) as gate:
        told: list[object] = []
        first = threading.Thread(target=lambda: told.append(ask(gate.running.public_port, "POST", PATH, CALL).json()))
        first.start()
        until(lambda: len(standing.state.seen) == 1)
        assert ask(gate.running.public_port, "POST", PATH, CALL).json()["error"] == "overloaded"
        first.join()
    assert told[0]["error"] == ""  # type: ignore[index]


def test_where_there_is_a_token_only_its_holder_may_ask(tmp_path: Path) -> None:
    (tmp_path / "gate.token").write_text(TOKEN + "\n")
    settings = settings_of(tmp_path, listen=Listen(port=0, token_file="gate.token"))
    with serving(Standing().assembly(settings)) as gate:
        port = gate.running.public_port
        assert ask(port, "POST", PATH, CALL).status == 401
        assert ask(port, "POST", PATH, CALL, {"x-stillwatch-token": TOKEN[:-1]}).status == 401
        assert ask(port, "POST", PATH, CALL, {"x-stillwatch-token": TOKEN}).status == 200


def test_operators_paths_are_not_on_the_gateways_port(tmp_path: Path) -> None:
    with serving(Standing().assembly(settings_of(tmp_path))) as gate:
        for path in ("/metrics", "/healthz", "/readyz", "/snapshot", "/reload", "/"):
            assert ask(gate.running.public_port, "GET", path).status == 404


def test_operators_see_what_is_in_force(tmp_path: Path) -> None:
    standing = Standing()
    with serving(standing.assembly(settings_of(tmp_path))) as gate:
        port = gate.running.admin_port
        assert ask(port, "GET", "/healthz").json() == {"status": "live"}
        assert ask(port, "GET", "/readyz").json() == {"status": "ready"}
        facts = ask(port, "GET", "/snapshot").json()
        assert (facts["snapshot"], facts["snapshot_sequence"], facts["policy"]) == ("snap-1", 1, "test@1")
        assert b"stillwatch_gate_snapshot_sequence 1.0" in ask(port, "GET", "/metrics").body
        standing.keeper.snapshot = None
        assert ask(port, "GET", "/readyz").status == 503


def test_with_a_token_everything_but_health_needs_it(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text(TOKEN)
    with serving(Standing().assembly(settings_of(tmp_path, admin=Admin(port=0, token_file="admin.token")))) as gate:
        port, bearer = gate.running.admin_port, {"authorization": f"Bearer {TOKEN}"}
        assert ask(port, "GET", "/healthz").status == ask(port, "GET", "/readyz").status == 200
        for path in ("/metrics", "/snapshot", "/reload"):
            assert ask(port, "GET", path).status == 401
            assert ask(port, "GET", path, headers={"authorization": f"Bearer {TOKEN}x"}).status == 401
        assert ask(port, "GET", "/metrics", headers=bearer).status == 200
        assert ask(port, "GET", "/reload", headers=bearer).status == 405
        assert ask(port, "POST", "/reload", headers=bearer).json()["policy_read"] is True


def test_without_a_token_nobody_reloads_over_the_wire(tmp_path: Path) -> None:
    with serving(Standing().assembly(settings_of(tmp_path))) as gate:
        assert ask(gate.running.admin_port, "POST", "/reload").status == 401


def test_a_policy_that_cannot_be_read_leaves_the_last_good_one(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text(TOKEN)
    standing = Standing()
    with serving(standing.assembly(settings_of(tmp_path, admin=Admin(port=0, token_file="admin.token")))) as gate:
        standing.policy_fault = Error("bad-policy", "expected a list of rules")
        told = ask(gate.running.admin_port, "POST", "/reload", headers={"authorization": f"bearer {TOKEN}"}).json()
        assert (told["policy_read"], told["policy"]) == (False, "test@1")
        assert ask(gate.running.public_port, "POST", PATH, CALL).json()["policy"] == ""
    assert any('"bad-policy"' in line for line in standing.lines)


def test_snapshots_and_policies_are_swapped_under_load_without_a_failed_call(tmp_path: Path) -> None:
    standing = Standing()
    rungs: list[object] = []
    stop = threading.Event()

    def call_on(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not stop.is_set():
            connection.request("POST", PATH, json.dumps({**CALL, "account_id": "acct-later"}))
            response = connection.getresponse()
            assert response.status == 200
            rungs.append(json.loads(response.read())["rung"])

    with serving(standing.assembly(settings_of(tmp_path))) as gate:
        threads = [threading.Thread(target=call_on, args=(gate.running.public_port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for sequence in range(2, 12):
            standing.keeper.next = FewAccounts(f"snap-{sequence}", sequence)
            until(lambda: standing.keeper.next is None)
        standing.keeper.next = FewAccounts("snap-last", 12, known={"acct-later": "confirmed"})
        until(lambda: bool(rungs) and rungs[-1] == "deny")
        stop.set()
        for thread in threads:
            thread.join()
    switched = rungs.index("deny")
    assert set(rungs[:switched]) == {"allow"}
    assert any('"snap-last"' in line for line in standing.lines)


def test_a_taken_port_is_told_as_such(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(Error) as caught:
        sockets_of(settings_of(tmp_path, admin=Admin(port=held.getsockname()[1])))
    assert caught.value.ident == "address-taken"


@pytest.fixture
def process(tmp_path: Path) -> object:
    """A gate in a process of its own that decides nothing until there is a file named `decide`."""
    program = Path(__file__).with_name("gate_process.py")
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    started = subprocess.Popen(
        [sys.executable, program, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    yield started
    started.kill()
    started.communicate()


def test_sigterm_lets_open_calls_end_and_takes_no_new_ones(process: subprocess.Popen[str], tmp_path: Path) -> None:
    assert process.stdout is not None
    public_port, admin_port = map(int, process.stdout.readline().split())
    told: list[object] = []
    open_call = threading.Thread(target=lambda: told.append(ask(public_port, "POST", PATH, CALL).json()))
    open_call.start()
    assert process.stdout.readline() == "deciding\n"
    process.send_signal(signal.SIGTERM)
    until(lambda: not is_open(public_port))
    assert ask(admin_port, "GET", "/readyz").json() == {"status": "draining"}
    assert not told
    (tmp_path / "decide").touch()
    open_call.join()
    assert told[0]["rung"] == "allow"  # type: ignore[index]
    assert process.wait(20) == 0


def test_sighup_reads_the_policy_again(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    while "reloaded" not in (line := process.stderr.readline()):
        assert line, "the gate ended before it told of it"
    assert process.poll() is None


def test_work_beside_the_answers_that_fails_ends_the_gate_with_its_error(tmp_path: Path) -> None:
    async def fails(gate: Gate) -> None:
        raise Error("address-taken", "nothing can listen there")

    standing = Standing()
    told = told_by(settings_of(tmp_path), standing.lines.append, now_us)
    assembly = put_together(settings_of(tmp_path), replace(standing.parts(), background=(fails,)), told, now_us)
    with pytest.raises(Error), serving(assembly):
        until(lambda: assembly.running.stop.is_set())
    assert standing.state.closed


def test_a_snapshot_that_breaks_the_look_for_it_leaves_the_last_good_one(tmp_path: Path) -> None:
    standing = Standing(keeper=BrokenKeeper())
    with serving(standing.assembly(settings_of(tmp_path))) as gate:
        until(lambda: any('"refresh-failed"' in line for line in standing.lines))
        assert ask(gate.running.public_port, "POST", PATH, {**CALL, "account_id": "acct-confirmed"}).json()["refuse"]


class BrokenKeeper(OneSnapshot):
    """Fails at every look but the first."""

    def refresh(self, now_us: int) -> bool:
        if self.next is None:
            self.next = FewAccounts()
            return False
        raise ZeroDivisionError

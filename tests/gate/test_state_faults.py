"""A Redis that is killed under a gate that runs: each action is what the policy chose for it, and all is well after."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate import redis_server
from tests.gate.gates import until
from tests.gate.whole_gate import CONFIRMED, HONEST, SUSPECTED, Running, Supplier, gate, shipped

pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")
pytest.importorskip("redis")

OPEN, CLOSED = {"rung": "tag", "refuse": False}, {"rung": "deny", "refuse": True, "status": 429}


def told(running: Running, account: str) -> dict[str, object]:
    decision = running.decide(account)
    return {name: decision[name] for name in ("rung", "refuse", "status") if decision[name] is not None}


@pytest.mark.parametrize(("choice", "suspected"), [("open", OPEN), ("closed", CLOSED)])
def test_what_happens_without_redis_is_what_the_policy_says_of_each_action(
    tmp_path: Path, choice: str, suspected: dict[str, object]
) -> None:
    with redis_server.running(tmp_path) as server:
        supplier = Supplier(tmp_path)
        place = f'[state]\nurl = "{server.url}"\ntimeout-ms = 5000'
        # `cap` alone is changed; a person's decision stands in either case, since its own rule says so.
        supplier.prepare(shipped("cautious", cap=choice), more=place)
        with gate(tmp_path) as running:
            known = {"rung": "strip", "refuse": False}
            assert told(running, SUSPECTED) == known
            assert running.metric('state{figure="away"}') == 0
            server.kill()
            until(lambda: told(running, SUSPECTED) == suspected, 30)
            assert told(running, CONFIRMED) == {"rung": "deny", "refuse": True, "status": 403}
            assert told(running, HONEST) == {"rung": "allow", "refuse": False}
            assert running.metric('state{figure="unavailable"}') > 0
            assert running.metric('state{figure="away"}') == 1
            server.start()
            until(lambda: told(running, SUSPECTED) == known, 30)
            until(lambda: running.metric('state{figure="away"}') == 0, 30)
            assert running.end() == 0


def test_a_gate_whose_redis_is_away_stops_when_it_is_told_to(tmp_path: Path) -> None:
    supplier = Supplier(tmp_path)
    with redis_server.running(tmp_path) as server:
        supplier.prepare(shipped("cautious"), more=f'[state]\nurl = "{server.url}"')
        with gate(tmp_path) as running:
            running.decide()
            server.kill()
            running.decide()
            assert running.end() == 0

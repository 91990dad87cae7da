"""What an opponent who probes the gate can tell apart: that he is refused, and not by which signal."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

from stillwatch.gate.applying import UNFELT, Api, applied
from stillwatch.gate.contract import Call, Decision, Observed, Recognition
from stillwatch.gate.exchange import Asked
from stillwatch.gate.forward_auth import ForwardAuth
from stillwatch.gate.guardrail import Guardrail
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.neutral import Decisions
from stillwatch.gate.policy import CompiledPolicy, compile_text
from stillwatch.gate.refusing import refusal
from stillwatch.gate.requests import Identity, call_of, one_caller
from stillwatch.gate.service import Gate
from stillwatch.gate.snapshot_build import Given
from tests.gate.snapshots import NOW_US, SECRET, Signer, call, given, run_of
from tests.gate.test_clock_steps import Unheard
from tests.gate.whole_gate import sanction, shipped, template

pytest.importorskip("cel_expr_python")
pytest.importorskip("cryptography")

ACCOUNT, ORGANIZATION, ADDRESS, TEXT = "acct-probe", "org-probe", "192.0.2.7", template("Name the moons of Mars.")

BITS_A_PROBE_MAX = 3.0
"""What docs/gate-threat-model.md says that one probe tells under the sternest policy that is shipped."""

APIS: tuple[Api, ...] = get_args(Api)

PROBE = call(ACCOUNT, TEXT, organization_id=ORGANIZATION, client_ip=ADDRESS)

SIGNALS: dict[str, Callable[[], Given]] = {
    "a person decided of the account": lambda: given(sanctions=(sanction("confirmed", ACCOUNT),)),
    "a person decided of its organisation": lambda: given(
        sanctions=(replace(sanction("confirmed"), organizations=(ORGANIZATION,)),)
    ),
    "a run named the account": lambda: given(run_of(named=(ACCOUNT,))),
    "its words and its address are a campaign's": lambda: given(run_of()),
}


def strict() -> CompiledPolicy:
    return compile_text(shipped("strict"), "strict", NOW_US, SECRET)


def gate_of(folder: Path, known: Given, policy: CompiledPolicy | None = None) -> Gate:
    snapshot, ruling = Signer(folder).open(known), policy or strict()
    return Gate(lambda: snapshot, lambda: ruling, MemoryState(), Unheard(), hash)


def to_litellm(gate: Gate) -> Any:
    door = Guardrail(gate, {"client_ip": ("x-real-ip",)}, lambda: NOW_US)
    who = {"user_api_key_user_id": ACCOUNT, "user_api_key_org_id": ORGANIZATION}
    asked = {"input_type": "request", "texts": [TEXT], "request_data": who, "request_headers": {"x-real-ip": ADDRESS}}
    return asyncio.run(door.answer(Asked("POST", Guardrail.prefix, {}, json.dumps(asked).encode())))


def to_gateways_callers(gate: Gate) -> Any:
    """What docs/gate.md tells a gateway to hand to its caller; the rest is for the gateway."""
    door = Decisions(gate, lambda: NOW_US, lambda: "one")
    asked = {
        "account_id": ACCOUNT, "request_model": "m", "input_text": TEXT, "organization_id": ORGANIZATION,
        "client_ip": ADDRESS,
    }  # fmt: skip
    answer = asyncio.run(door.answer(Asked("POST", Decisions.prefix, {}, json.dumps(asked).encode())))
    told = json.loads(answer.body)
    return {name: told[name] for name in ("refuse", "status", "notice", "retry_after_s", "delay_ms", "headers")}


def to_nginx(gate: Gate) -> Any:
    identity = Identity()

    def read(path: str, lines: Sequence[tuple[str, str]], time_us: int) -> Call | None:
        return call_of(path, one_caller(lines, path, identity), None, identity, time_us, None)

    door = ForwardAuth(gate, read, lambda: NOW_US)
    headers = {"x-original-uri": "/v1/messages", "x-user-id": ACCOUNT, "x-organization-id": ORGANIZATION}
    return asyncio.run(door.answer(Asked("GET", "/forward-auth/nginx", headers, b"")))


def to_callers_of_the_proxy(gate: Gate) -> Any:
    decision = asyncio.run(gate.decide(PROBE, "proxy")).decision
    assert decision.is_refusal
    return [refusal(decision, api) for api in APIS]


def to_callers_of_envoy(gate: Gate) -> Any:
    envoy = pytest.importorskip("stillwatch.gate.envoy")
    decision = asyncio.run(gate.decide(PROBE, "envoy")).decision
    return envoy._denied(decision).SerializeToString(deterministic=True)


WAYS = (to_litellm, to_gateways_callers, to_nginx, to_callers_of_the_proxy, to_callers_of_envoy)


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_has_the_same_bytes_whichever_signal_fired(tmp_path: Path, way: Callable[[Gate], Any]) -> None:
    told = {}
    for at, (signal, known) in enumerate(SIGNALS.items()):
        if way is to_nginx and "words" in signal:
            continue  # Without a body no words are recognised.
        folder = tmp_path / str(at)
        folder.mkdir()
        told[signal] = repr(way(gate_of(folder, known())))
    assert len(told) >= 3
    assert len(set(told.values())) == 1, told
    (only,) = set(told.values())
    assert "request-refused" in only
    for inside in ("confirmed", "suspected", "recognised", "refuse-", "c-0000", "f-0000", "strict@"):
        assert inside not in only


def test_a_spent_budget_does_not_tell_whose_it_was(tmp_path: Path) -> None:
    told = []
    for at, holder in enumerate(("account", "cluster")):
        folder = tmp_path / str(at)
        folder.mkdir()
        text = shipped("cautious")
        old = {"account": "calls_per_hour: 120, cost", "cluster": "calls_per_hour: 3000, cost"}[holder]
        assert old in text
        policy = compile_text(text.replace(old, "calls_per_hour: 1, cost"), "cautious", NOW_US, SECRET)
        gate = gate_of(folder, given(run_of(named=(ACCOUNT,))), policy)
        asyncio.run(gate.decide(PROBE, "proxy"))
        decision = asyncio.run(gate.decide(PROBE, "proxy")).decision
        assert decision.retry_after_s
        told.append([refusal(decision, api) for api in APIS])
    assert told[0] == told[1]


def test_a_reference_tells_nothing_of_what_was_asked(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, given(sanctions=(sanction("confirmed", ACCOUNT),)))
    told = {
        asyncio.run(gate.decide(each, "proxy")).decision.notice
        for each in (PROBE, replace(PROBE, input_text="else"), replace(PROBE, client_ip="192.0.2.9", stream=True))
    }
    assert len(told) == 1


def felt(decision: Decision) -> object:
    """Return what a caller of the proxy can notice of a decision, but for how long it takes."""
    if decision.is_refusal:
        told = refusal(replace(decision, notice=replace(decision.notice, reference="")), "chat")  # type: ignore[type-var]
        return told.status, told.headers, told.body
    if decision.rung in UNFELT:
        return "nothing"
    bounds = decision.max_tokens_max, decision.choice_count_max
    return bounds, decision.strip, decision.route, decision.delay_ms > 0


def test_one_probe_tells_no_more_than_the_written_bound() -> None:
    policy, seen = strict(), set()
    observed = [
        Observed(account_calls_hour=calls, foreign_block=foreign, failover=failover, available=there)
        for calls, foreign, failover, there in product((1, 10_000), (False, True), (False, True), (True, False))
    ]
    for tier, verified, signature, infrastructure, outside in product(
        ("none", "watch", "suspected", "confirmed", "cleared"), (False, True), ("", "f-1"), (0, 2), (0, 5)
    ):
        known = Recognition(1, tier=tier, verified=verified, signature=signature, infrastructure=infrastructure)  # type: ignore[arg-type]
        known = replace(known, outside_accounts=outside, campaign_id="c-1" if signature else "")
        for each in observed:
            seen.add(felt(policy.decide(PROBE, known, each)))
    refusals = {each for each in seen if isinstance(each, tuple) and isinstance(each[0], int)}
    assert sorted(each[0] for each in refusals) == [403, 403, 429]  # type: ignore[index]
    assert math.log2(len(seen)) <= BITS_A_PROBE_MAX, seen


@pytest.mark.parametrize("rung", sorted(UNFELT))
def test_what_is_only_marked_cannot_be_noticed(rung: Any) -> None:
    decision = Decision(rung=rung, tag=(("x-stillwatch-tier", "watch"),), max_tokens_max=1, route="m2")
    assert all(applied({"model": "m", "messages": [], "max_tokens": 9}, api, decision) is None for api in APIS)


def test_a_delay_depends_on_who_and_when_and_not_on_what_is_asked() -> None:
    """So that its length tells nothing of the words; that there is one, a few probes tell."""
    policy = strict()
    known = Recognition(1, tier="watch", signature="f-1", infrastructure=1, campaign_id="c-1")

    def delay_ms(asked: Call) -> int:
        return policy.decide(asked, known, Observed()).delay_ms

    at_once = {delay_ms(replace(PROBE, input_text=text)) for text in ("a", "b", TEXT)}
    assert len(at_once) == 1
    later = [delay_ms(replace(PROBE, time_us=NOW_US + second * 1_000_000)) for second in range(200)]
    assert 300 <= min(later) < 400
    assert 900 < max(later) <= 1_000

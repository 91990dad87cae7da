"""The measurement of the gate's proxy, on as little as it takes."""

from bench import gate_proxy


def test_every_server_answers_every_call_and_what_decisions_add_is_told() -> None:
    found = gate_proxy.measure(rate=20, rounds=2, round_s=0.25)
    for name in gate_proxy.SERVERS:
        assert (found[name]["calls"], found[name]["failed"]) == (10, 0)
        assert 0 < found[name]["p50_ms"] <= found[name]["p99_ms"]
    assert found["added_p50_ms"] == round(found["on"]["p50_ms"] - found["off"]["p50_ms"], 3)

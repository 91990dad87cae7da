"""What a gate tells of itself: counts, lines and spans, and never a text or an identifier."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.gate.contract import Decision
from stillwatch.gate.metrics import IDENTS_MAX, RULES_MAX, Metrics
from stillwatch.gate.settings import Telemetry
from stillwatch.gate.telling import Teller
from tests.gate.gates import ask, serving, until
from tests.gate.values import DECISIONS, Standing, settings_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def text_of(metrics: Metrics) -> str:
    return metrics.expose()[0].decode()


def test_decisions_are_counted_by_door_rung_tier_and_rule_and_timed_in_microseconds() -> None:
    metrics = Metrics()
    metrics.decided("guardrail", DECISIONS["confirmed"], 0.000_030)
    metrics.decided("guardrail", DECISIONS["confirmed"], 0.000_090)
    text = text_of(metrics)
    labels = 'door="guardrail",rule="closed-campaign",rung="deny",tier="confirmed"'
    assert f"stillwatch_gate_decisions_total{{{labels}}} 2.0" in text
    assert 'stillwatch_gate_decision_seconds_bucket{door="guardrail",le="3.5e-05"} 1.0' in text
    assert "c-1" not in text


def test_rules_and_alarms_past_the_bound_are_counted_as_others() -> None:
    metrics = Metrics()
    for number in range(RULES_MAX + 50):
        metrics.decided("guardrail", Decision(rule=f"rule-{number}"), 0.0)
    for number in range(IDENTS_MAX + 50):
        metrics.alarm(f"alarm-{number}")
    text = text_of(metrics)
    assert 'rule="other",rung="allow",tier="none"} 50.0' in text
    assert 'stillwatch_gate_alarms_total{ident="other"} 50.0' in text


def test_figures_that_others_keep_are_read_when_they_are_asked_for() -> None:
    metrics = Metrics()
    held = {"away": 0}
    metrics.show_figures("state", "The shared state", lambda: held)
    held["away"] = 1
    assert 'stillwatch_gate_state{figure="away"} 1.0' in text_of(metrics)


def teller(lines: list[str], level: str = "info") -> Teller:
    return Teller(lines.append, lambda: "2026-11-26T00:00:00.000Z", level)  # type: ignore[arg-type]


def test_what_somebody_felt_is_a_line_and_what_nobody_felt_is_none() -> None:
    lines: list[str] = []
    told = teller(lines)
    told.decided("guardrail", DECISIONS["confirmed"], 0.000_030)
    told.decided("guardrail", Decision(), 0.000_030)
    assert [json.loads(line) for line in lines] == [
        {
            "time": "2026-11-26T00:00:00.000Z",
            "level": "info",
            "event": "decided",
            "door": "guardrail",
            "rung": "deny",
            "rule": "closed-campaign",
            "tier": "confirmed",
            "campaign": "c-1",
            "policy": "test@1",
            "snapshot": "snap-1",
            "reference": "ref-0001",
            "error": "",
            "microseconds": 30,
        }
    ]


def test_a_sentence_cannot_come_into_the_log() -> None:
    lines: list[str] = []
    teller(lines).say("info", "x", code="my secret prompt", rule="acct\n1")
    assert json.loads(lines[0])["code"] == json.loads(lines[0])["rule"] == "?"


def test_a_flood_of_one_alarm_is_a_few_lines() -> None:
    lines: list[str] = []
    told = teller(lines)
    for _ in range(1_000):
        told.alarm("deadline")
    assert [json.loads(line)["count"] for line in lines] == [2**n for n in range(10)]


@pytest.fixture
def collector() -> Iterator[tuple[int, list[dict[str, object]]]]:
    """A collector of spans that keeps what it is sent."""
    spans: list[dict[str, object]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            spans.extend(document["resourceSpans"][0]["scopeSpans"][0]["spans"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the library
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], spans
    server.shutdown()
    server.server_close()


def test_a_decision_is_a_span_of_the_gateways_own_trace(
    tmp_path: Path, collector: tuple[int, list[dict[str, object]]]
) -> None:
    port, spans = collector
    telemetry = Telemetry(otlp_endpoint=f"http://127.0.0.1:{port}/v1/traces", log_level="error")
    call = {"account_id": "acct-confirmed", "request_model": "model-a", "input_text": "a secret prompt"}
    with serving(Standing().assembly(settings_of(tmp_path, telemetry=telemetry))) as gate:
        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        ask(gate.running.public_port, "POST", "/v1/decisions", call, parent)
        ask(gate.running.public_port, "POST", "/v1/decisions", call)
    until(lambda: len(spans) == 2)
    first, second = spans
    assert (first["traceId"], first["parentSpanId"]) == (TRACE, PARENT)
    assert second["traceId"] != TRACE
    assert "parentSpanId" not in second
    attributes = {each["key"]: each["value"]["stringValue"] for each in first["attributes"]}  # type: ignore[attr-defined]
    assert attributes == {
        "stillwatch.door": "decisions",
        "stillwatch.rung": "deny",
        "stillwatch.tier": "confirmed",
    }
    assert "secret" not in json.dumps(spans)


def test_nothing_that_a_caller_sends_comes_into_log_or_metrics(tmp_path: Path) -> None:
    standing = Standing()
    call = {"account_id": "acct-zebra", "request_model": "model-a", "input_text": "a zebra prompt"}
    with serving(standing.assembly(settings_of(tmp_path))) as gate:
        for body in (call, {**call, "zebra": 1}, b'{"zebra"'):
            ask(gate.running.public_port, "POST", "/v1/decisions", body, {"authorization": "Bearer zebra"})
        text = ask(gate.running.admin_port, "GET", "/metrics").body.decode()
    assert "zebra" not in text + "".join(standing.lines)

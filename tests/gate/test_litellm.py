"""A real LiteLLM proxy asks the gate as docs/gate.md says, and its callers get what the gate decided."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.gate.documents import block
from tests.gate.gates import Response, ask, free_port, is_open, serving, until
from tests.gate.values import SIGNATURE, Standing, settings_of
from tests.house.repository import ROOT

LITELLM = ROOT / ".venv-gateways" / "bin" / "litellm"

START_SECONDS = 240
"""It takes half a minute alone on a machine and several times as long on a busy one."""

KEY = "sk-of-this-test"

MODELS = """
model_list:
  - model_name: model-a
    litellm_params: {model: openai/model-a, api_key: none, mock_response: an answer}
general_settings: {master_key: sk-of-this-test}
"""

pytestmark = [
    pytest.mark.skipif(not LITELLM.exists(), reason="tools/setup.sh gateways"),
    pytest.mark.timeout(START_SECONDS + 60),
]


@pytest.fixture(scope="module")
def standing() -> Standing:
    return Standing()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, standing: Standing) -> Iterator[int]:
    """LiteLLM's proxy with a model of its own that answers every call, and the gate as its guardrail."""
    folder = tmp_path_factory.mktemp("litellm")
    with serving(standing.assembly(settings_of(folder))) as gate:
        guardrails = block("LiteLLM", "yaml").replace("127.0.0.1:8440", f"127.0.0.1:{gate.running.public_port}")
        (folder / "config.yaml").write_text(MODELS + guardrails)
        number = free_port()
        command = [LITELLM, "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(number)]
        # The price list of models comes with the package; nothing is fetched.
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
        with (folder / "litellm.log").open("w") as log:
            program = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            until(lambda: is_open(number) or program.poll() is not None, START_SECONDS)
            assert program.poll() is None, (folder / "litellm.log").read_text()[-3_000:]
            yield number
        finally:
            program.terminate()
            program.wait(30)


def call(port: int, text: str, **more: object) -> Response:
    body = {"model": "model-a", "messages": [{"role": "user", "content": text}], **more}
    return ask(port, "POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEY}", "user-agent": "mine/1"})


def test_an_honest_call_is_answered(port: int, standing: Standing) -> None:
    before = len(standing.capture.calls)
    answered = call(port, "please sing")
    assert (answered.status, b"an answer" in answered.body) == (200, True)
    call_seen = standing.state.seen[-1]
    assert (call_seen.input_text, call_seen.request_model, call_seen.user_agent) == ("please sing", "model-a", "mine/1")
    assert call_seen.account_id
    until(lambda: len(standing.capture.calls) > before)
    assert standing.capture.calls[-1][1].status == 200


def test_an_honest_stream_is_answered(port: int) -> None:
    answered = call(port, "please sing", stream=True)
    assert answered.status == 200
    assert answered.body.rstrip().endswith(b"data: [DONE]")


def test_a_campaigns_call_is_refused_before_the_model_is_asked(port: int) -> None:
    answered = call(port, f"please {SIGNATURE}")
    assert answered.status == 400
    told = str(answered.json())
    assert "account-held: This account is held." in told
    assert "ref-0001" in told
    for secret in ("an answer", "closed-campaign", "confirmed", "c-1"):
        assert secret not in told


def test_a_campaigns_stream_is_refused_too(port: int) -> None:
    answered = call(port, f"please {SIGNATURE}", stream=True)
    assert answered.status == 400
    assert b"account-held" in answered.body

"""What a decision makes of a request: only what it bounds, in the member where the API reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gate.applying import api_of, applied, routed, tagged
from stillwatch.gate.contract import Decision

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Tides?"}], "temperature": 0.5}


def decided(rung="cap", **changes):
    return Decision(rung=rung, **changes)


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/completions", "completions"),
        ("/v1/responses", "responses"),
        ("/v1/messages", "anthropic"),
        ("/v1/embeddings", "embeddings"),
        ("/openai/deployments/x/chat/completions", "chat"),
        ("/v1beta/models/gemini-x:streamGenerateContent", "gemini"),
        ("/v1/files", None),
    ],
)
def test_the_api_is_known_by_its_path(path, api):
    assert api_of(path) == api


@pytest.mark.parametrize("rung", ["allow", "tag", "shadow"])
def test_what_nobody_is_to_feel_changes_nothing(rung):
    strips = frozenset({"logprobs", "n-best", "reasoning"})
    decision = decided(rung, max_tokens_max=1, choice_count_max=1, strip=strips, route="x")
    assert applied({**ASKED, "n": 9, "logprobs": True}, "chat", decision) is None


def test_a_request_within_its_bounds_is_left_as_it_is():
    assert applied({**ASKED, "max_tokens": 5, "n": 2}, "chat", decided(max_tokens_max=5, choice_count_max=2)) is None


@given(
    st.sampled_from(["chat", "completions", "responses", "anthropic"]),
    st.dictionaries(
        st.sampled_from(["max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.floats(),
            st.booleans(),
            st.text(max_size=5),
            st.lists(st.integers(), max_size=1),
        ),
    ),
)
def test_no_value_however_strange_asks_for_more_than_the_bound(api, strange):
    body = {**ASKED, **strange}
    after = applied(body, api, decided(max_tokens_max=100, choice_count_max=2)) or body
    names = {"chat": "max_completion_tokens", "responses": "max_output_tokens"}
    asked = [after.get(name) for name in {names.get(api, "max_tokens"), "max_tokens"} if after.get(name) is not None]
    assert asked, "nothing bounds the output"
    if api == "responses":
        assert after["max_output_tokens"] is not None
    for name, most in (("n", 2), ("best_of", 2), *((name, 100) for name in strange if name.startswith("max_"))):
        value = after.get(name)
        assert value is None or (type(value) in (int, float) and 1 <= value <= most)
    assert {name: after[name] for name in ASKED} == ASKED


def test_other_servers_names_of_the_bound_are_no_way_round_it():
    asked = {**ASKED, "max_tokens": 50, "n_predict": -1, "max_new_tokens": 9000, "min_tokens": 500}
    after = applied(asked, "chat", decided(max_tokens_max=100))
    bounds = {"max_tokens": 50, "n_predict": 100, "max_new_tokens": 100, "min_tokens": 100}
    assert after == {**ASKED, **bounds}


def test_thinking_fits_below_a_capped_output_or_goes():
    asked = {**ASKED, "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 8000}}
    after = applied(asked, "anthropic", decided(max_tokens_max=4096))
    assert (after["max_tokens"], after["thinking"]["budget_tokens"]) == (4096, 2048)
    assert "thinking" not in applied(asked, "anthropic", decided(max_tokens_max=1000))


def test_embeddings_have_no_output_to_cap():
    assert applied({"model": "m", "input": "tides"}, "embeddings", decided(max_tokens_max=5)) is None


def test_geminis_configuration_is_bounded_in_either_spelling():
    asked = {"contents": [], "generationConfig": {"maxOutputTokens": 900, "candidateCount": 4, "temperature": 1}}
    after = applied(asked, "gemini", decided(max_tokens_max=100, choice_count_max=2))
    assert after["generationConfig"] == {"maxOutputTokens": 100, "candidateCount": 2, "temperature": 1}
    after = applied({"generation_config": {"max_output_tokens": 900}}, "gemini", decided(max_tokens_max=100))
    assert after == {"generation_config": {"max_output_tokens": 100}}
    assert applied({}, "gemini", decided(max_tokens_max=7)) == {"generationConfig": {"maxOutputTokens": 7}}
    thoughtful = {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5}, "logprobs": 3}}
    after = applied(thoughtful, "gemini", decided("strip", strip=frozenset({"reasoning", "logprobs"})))
    assert after == {"generationConfig": {"thinkingConfig": {"thinkingBudget": 5}}}


def test_a_strip_leaves_the_opaque_part_of_reasoning():
    include = ["reasoning.encrypted_content", "message.output_text.logprobs"]
    asked = {"model": "m", "input": "Tides?", "include": include, "reasoning": {"effort": "low", "summary": "auto"}}
    after = applied(asked, "responses", decided("strip", strip=frozenset({"reasoning", "logprobs"})))
    assert after == {**asked, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}


def test_n_best_is_one():
    asked = {"model": "m", "prompt": "Tides?", "n": 3, "best_of": 5}
    assert applied(asked, "completions", decided("strip", strip=frozenset({"n-best"}))) == {
        "model": "m",
        "prompt": "Tides?",
        "n": 1,
    }


def test_a_request_is_not_changed_in_place():
    asked = {**ASKED, "n": 5, "reasoning": {"summary": "auto"}}
    applied(asked, "chat", decided("strip", choice_count_max=1, strip=frozenset({"reasoning"}), route="x"))
    assert asked == {**ASKED, "n": 5, "reasoning": {"summary": "auto"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"/openai/deployments/big/chat/completions", b"/openai/deployments/other%2Fone/chat/completions"),
        (b"/v1beta/models/big:generateContent", b"/v1beta/models/other%2Fone:generateContent"),
        (b"/openai/%64eployments/big/chat/completions", b"/openai/deployments/other%2Fone/chat/completions"),
        (b"/v1/chat/completions", b"/v1/chat/completions"),
    ],
)
def test_a_model_in_the_path_is_routed_there(before, after):
    assert routed(before, decided("route", route="other/one")) == after


def test_a_tag_that_is_no_header_is_left_out():
    tags = (("x-risk", "high"), ("x bad", "1"), ("x-bad", "1\r\nx-forged: 1"), ("x-bad", ""))
    assert tagged([(b"x-risk", b"low"), (b"X_Risk", b"low"), (b"accept", b"*")], tags) == [
        (b"accept", b"*"),
        (b"x-risk", b"high"),
    ]

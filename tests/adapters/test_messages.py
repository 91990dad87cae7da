import pytest

from stillwatch.adapters.messages import (
    Flattened,
    block_digest,
    block_digests,
    flatten,
    is_refusal,
    response_format,
    text_of,
    tool_names,
)

OPENAI_CHAT = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {}}]},
]
OPENAI_RESPONSES = [
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
    {"role": "user", "content": "one"},
    {"type": "function_call", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "output": "found"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "two"}]},
]
GENAI_PARTS = [
    {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
    {"role": "user", "parts": [{"type": "text", "content": "one"}]},
    {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
    {"role": "user", "parts": [{"type": "text", "content": "two"}, {"type": "blob", "content": "AAAA"}]},
]
CONVERSE = [
    {"role": "user", "content": [{"text": "one"}]},
    {"role": "assistant", "content": [{"text": "1"}]},
    {"role": "user", "content": [{"text": "two"}, {"image": {"format": "png"}}]},
]
GEMINI = [
    {"role": "user", "parts": [{"text": "one"}]},
    {"role": "model", "parts": [{"text": "1"}]},
    {"role": "user", "parts": [{"text": "two"}]},
]


@pytest.mark.parametrize("messages", [OPENAI_CHAT, OPENAI_RESPONSES, GENAI_PARTS])
def test_every_shape_of_a_conversation_reads_alike(messages):
    assert flatten(messages) == Flattened("be brief", "two", 1)


@pytest.mark.parametrize("messages", [CONVERSE, GEMINI])
def test_a_system_text_beside_the_messages_is_taken(messages):
    assert flatten(messages, [{"text": "be brief"}]) == Flattened("be brief", "two", 1)


def test_a_request_body_gives_its_messages_and_its_system_text():
    body = {"model": "m", "system": [{"type": "text", "text": "be brief"}], "messages": OPENAI_CHAT[1:]}
    assert flatten(body) == Flattened("be brief", "two", 1)
    assert flatten({"instructions": "be brief", "input": "two"}) == Flattened("be brief", "two", 0)


def test_text_parts_are_joined_by_newlines_and_the_rest_is_passed_over():
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert text_of(parts) == "a\nb"


def test_a_message_of_tool_results_is_no_turn_of_the_users():
    messages = [
        {"role": "user", "content": "look it up"},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "found"}]},
    ]
    assert flatten(messages) == Flattened(None, "look it up", 0)


def test_a_bare_prompt_and_a_list_of_prompts_are_fresh_conversations():
    assert flatten("one") == Flattened(None, "one", 0)
    assert flatten(["one", "two"]) == Flattened(None, "one\ntwo", 0)


@pytest.mark.parametrize("junk", [None, 7, [], {}, [None, 3], [{"role": 5}], {"messages": 4}, [[1, 2]]])
def test_junk_has_no_text_and_raises_nothing(junk):
    said = flatten(junk)
    assert said.system_prompt is None
    assert said.input_text is None


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "", "signature": "sealed"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "sealed"}}},
        {"reasoningContent": {"redactedContent": "sealed"}},
        {"text": "", "thoughtSignature": "sealed"},
    ],
)
def test_an_opaque_block_has_one_digest_whatever_api_carried_it(block):
    assert flatten([{"role": "assistant", "content": [block]}]).presented_blocks == (block_digest("sealed"),)


def test_opaque_blocks_beside_the_content_are_found_too():
    item = {"type": "reasoning", "encrypted_content": "sealed"}
    gateway = {"role": "assistant", "content": "x", "thinking_blocks": [{"signature": "sealed"}]}
    router = {"role": "assistant", "reasoning_details": [{"type": "reasoning.encrypted", "data": "sealed"}]}
    for message in (item, gateway, router):
        assert block_digests([message]) == (block_digest("sealed"),)


def test_a_digest_does_not_hold_the_block():
    assert block_digest("sealed") != block_digest("sealed ")
    assert len(block_digest("sealed")) == 32


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "function": {"name": "look"}}],
        [{"type": "function", "name": "look"}],
        [{"name": "look", "input_schema": {}}],
        [{"type": "look"}],
        {"tools": [{"toolSpec": {"name": "look"}}, {"cachePoint": {"type": "default"}}]},
        [{"functionDeclarations": [{"name": "look"}]}],
    ],
)
def test_tools_are_named_in_every_shape(tools):
    assert tool_names(tools) == ["look"]


def test_no_tools_is_none():
    assert tool_names([]) is None
    assert tool_names("look") is None


def test_response_formats_of_chat_and_responses_read_alike():
    assert response_format({"type": "json_schema", "json_schema": {}}) == "json_schema"
    assert response_format({"format": {"type": "json_schema"}}) == "json_schema"
    assert response_format(None) is None


def test_filters_and_refusals_decline_and_a_stop_does_not():
    assert is_refusal("content_filter")
    assert is_refusal("SAFETY")
    assert not is_refusal("stop")
    assert not is_refusal(None)

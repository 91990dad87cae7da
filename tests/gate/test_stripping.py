"""Streams and whole replies without what is stripped, wherever their bytes were cut."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gate.stripping import EventSplitter, NotUnderstoodError, data_of, stripped_event, stripped_reply
from tests.gate.providers import REASONING, anthropic, chat, responses

ALL = frozenset({"logprobs", "n-best", "reasoning"})
STREAMS = {
    "chat": chat({"model": "generous", "stream": True}),
    "responses": responses({"model": "m", "stream": True}),
    "anthropic": anthropic({"model": "m", "stream": True}),
}


def stream_of(api, end):
    lines = []
    for event in STREAMS[api]:
        lines += [f": kept alive{end}{end}", *([f"event: {event['type']}{end}"] if "type" in event else [])]
        lines.append(f"data: {json.dumps(event)}{end}{end}")
    return ("".join(lines) + f"data: [DONE]{end}{end}").encode()


def cut(raw, places):
    places = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[begin:end] for begin, end in itertools.pairwise(places)]


def stripped(api, chunks):
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)] + [splitter.rest()]
    return b"".join(stripped_event(event, api, ALL) for event in events)


def decoded(stream):
    splitter = EventSplitter()
    events = [*splitter.feed(stream), splitter.rest()]
    return [json.loads(data) for event in events if (data := data_of(event)) not in (b"", b"[DONE]")]


places = st.lists(st.integers(0, 100_000), max_size=30)
ends = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.binary(max_size=60) | st.text("a:\r\n ", max_size=60).map(str.encode), places)
def test_no_byte_of_a_stream_is_lost_or_made_up(raw, cuts):
    splitter = EventSplitter()
    events = [event for chunk in cut(raw, cuts) for event in splitter.feed(chunk)]
    assert b"".join([*events, splitter.rest()]) == raw


@given(st.sampled_from(sorted(STREAMS)), ends, places)
def test_a_stripped_stream_says_the_same_wherever_it_was_cut(api, end, cuts):
    raw = stream_of(api, end)
    whole = decoded(stripped(api, [raw]))
    assert decoded(stripped(api, cut(raw, cuts))) == whole
    text = json.dumps(whole)
    assert REASONING not in text
    assert '"logprob":' not in text
    assert "six." in text
    if api != "chat":
        assert "sealed" in text


@pytest.mark.parametrize("api", sorted(STREAMS))
def test_an_event_with_nothing_to_strip_keeps_its_bytes(api):
    event = b'id: 7\ndata: {"type":"ping",  "n": 1.0}\r\n\r\n'
    assert stripped_event(event, api, ALL) == event
    assert stripped_event(b": waiting\n\n", api, ALL) == b": waiting\n\n"


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: 1\n\n", b"data: \xff\n\n"])
def test_an_event_that_cannot_be_read_is_not_passed(data):
    with pytest.raises(NotUnderstoodError):
        stripped_event(data, "chat", ALL)


def test_an_event_without_end_is_not_held_without_end():
    splitter = EventSplitter()
    for _ in range(16):
        assert list(splitter.feed(b"x" * (1 << 20))) == []
    with pytest.raises(NotUnderstoodError):
        list(splitter.feed(b"x"))
    assert splitter.rest() == b""


def test_a_long_event_in_small_pieces_is_not_searched_again_and_again():
    splitter, piece = EventSplitter(), b"x" * 100
    for _ in range(20_000):
        assert list(splitter.feed(piece)) == []
    (event,) = splitter.feed(b"\n\n")
    assert len(event) == 2_000_002


def test_choices_of_a_batch_of_prompts_stay():
    reply = {"choices": [{"index": 0, "text": "a", "logprobs": {"tokens": []}}, {"index": 1, "text": "b"}]}
    after = json.loads(stripped_reply(json.dumps(reply).encode(), "completions", ALL))
    assert [choice["text"] for choice in after["choices"]] == ["a", "b"]
    assert after["choices"][0]["logprobs"] is None


def test_gateways_blocks_of_reasoning_keep_what_is_opaque():
    message = {
        "content": "six",
        "reasoning": REASONING,
        "reasoning_details": [
            {"type": "reasoning.text", "text": REASONING, "signature": "s1"},
            {"type": "reasoning.encrypted", "data": "s2"},
        ],
        "thinking_blocks": [{"type": "thinking", "thinking": REASONING, "signature": "s3"}],
    }
    reply = {"choices": [{"index": 0, "message": message}]}
    text = stripped_reply(json.dumps(reply).encode(), "chat", ALL).decode()
    assert REASONING not in text
    assert all(opaque in text for opaque in ("s1", "s2", "s3", "six"))


def test_geminis_thoughts_and_probabilities_go():
    parts = [{"text": REASONING, "thought": True}, {"text": "six", "thoughtSignature": "s1"}]
    reply = {"candidates": [{"content": {"parts": parts}, "avgLogprobs": -1, "logprobsResult": {}}, {"index": 1}]}
    after = json.loads(stripped_reply(json.dumps(reply).encode(), "gemini", ALL))
    assert after == {"candidates": [{"content": {"parts": parts[1:]}}]}


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "type",
                    "delta",
                    "message",
                    "content",
                    "output",
                    "item",
                    "response",
                    "logprobs",
                    "candidates",
                    "reasoning",
                    "thinking",
                    "summary",
                    "parts",
                    "index",
                    "content_block",
                    "part",
                    "reasoning_details",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@given(values, st.sampled_from(["chat", "responses", "anthropic", "gemini", "completions"]))
def test_no_shape_of_a_reply_is_a_crash(value, api):
    raw = json.dumps(value).encode()
    for call in (lambda: stripped_reply(raw, api, ALL), lambda: stripped_event(b"data: " + raw + b"\n\n", api, ALL)):
        try:
            assert isinstance(call(), bytes)
        except NotUnderstoodError:
            assert not isinstance(value, dict)

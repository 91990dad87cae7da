"""What a reply tells as it passes by."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import raw_pairs
from stillwatch.adapters.bodies import reply_columns
from stillwatch.adapters.messages import block_digest
from stillwatch.gate.contract import Reply
from stillwatch.gate.replies import ReplyReader, reply_of
from tests.gate.providers import anthropic, chat, embeddings, responses
from tests.gate.test_stripping import STREAMS, cut, ends, places, stream_of, values


def read(chunks, is_stream):
    reader = ReplyReader(is_stream)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.reply(200, 1.5)


@given(st.sampled_from(sorted(STREAMS)), ends, places)
def test_a_stream_tells_what_the_adapter_of_logs_reads_of_it(api, end, cuts):
    raw = stream_of(api, end)
    body, streamed = raw_pairs.reply_body(raw.decode())
    assert streamed
    assert read(cut(raw, cuts), True) == reply_of(reply_columns(body), 200, 1.5)


@pytest.mark.parametrize("answer", [chat, responses, anthropic, embeddings])
def test_a_whole_reply_tells_what_the_adapter_of_logs_reads_of_it(answer):
    body = answer({"model": "m"})
    raw = json.dumps(body).encode()
    assert read([raw[:9], raw[9:]], False) == reply_of(reply_columns(body), 200, 1.5)


def test_blocks_are_known_by_their_digests():
    assert read([stream_of("anthropic", "\n")], True).issued_blocks == (block_digest("sealed-2"),)
    assert read([stream_of("responses", "\n")], True).issued_blocks == (block_digest("sealed-1"),)


def test_a_stream_that_was_cut_has_no_end():
    raw = stream_of("chat", "\n")
    assert read([raw[: len(raw) // 2]], True).finish_reason is None


def test_a_last_event_without_its_blank_line_is_read():
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    assert read([usage], True).output_tokens == 4


def test_what_is_too_large_goes_unread_and_is_not_held():
    for is_stream in (True, False):
        reader = ReplyReader(is_stream)
        for _ in range(20):
            reader.feed(b"x" * (1 << 20))
        assert reader.overflowed
        assert reader.reply(200, 1.0) == Reply(status=200, duration_ms=1.0)


@given(values, st.booleans())
def test_no_reply_is_a_crash(value, is_stream):
    raw = json.dumps(value).encode()
    told = read([b"data: " + raw + b"\n\n" if is_stream else raw], is_stream)
    assert told.status == 200


def test_a_value_of_a_wrong_type_counts_as_absent():
    usage = {"completion_tokens": "many", "prompt_tokens": -1, "prompt_tokens_details": {"cached_tokens": True}}
    told = read([json.dumps({"model": 7, "choices": [{"finish_reason": 5}], "usage": usage}).encode()], False)
    assert told == Reply(status=200, refused=False, duration_ms=1.5)

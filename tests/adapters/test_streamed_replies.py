import json

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters.bodies import reply_columns
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.streamed_replies import assembled, sse_events, stream_events

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def sse(*events):
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


def test_what_is_no_stream_is_told_from_one_that_is():
    assert stream_events({"choices": []}) is None
    assert stream_events("an answer in words") is None
    assert stream_events(None) is None
    assert stream_events(sse({"a": 1})) == [{"a": 1}]
    assert stream_events({"streamed_data": sse({"a": 1})}) == [{"a": 1}]
    assert stream_events([{"event": "x", "data": '{"a": 1}'}, 'data: {"b": 2}\n\n', '{"c": 3}', {"d": 4}]) == [
        {"a": 1},
        {"b": 2},
        {"c": 3},
        {"d": 4},
    ]


def test_running_totals_are_not_added_up():
    events = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 5}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    ]
    columns = reply_columns(assembled(events))
    assert (columns["input_tokens"], columns["output_tokens"], columns["finish_reason"]) == (7, 9, "end_turn")


def test_blocks_keep_their_order_whatever_comes_between():
    def piece(index, signature):
        return {"type": "content_block_delta", "index": index, "delta": {"signature": signature}}

    events = [piece(1, "se"), piece(0, "fir"), piece(1, "cond"), {"type": "ping"}, piece(0, "st")]
    assert reply_columns(assembled(events))["issued_blocks"] == [block_digest("first"), block_digest("second")]


def test_several_choices_each_end_for_themselves():
    events = [
        {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}], "model": "m"},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    ]
    columns = reply_columns(assembled(events))
    assert (columns["finish_reason"], columns["input_tokens"], columns["output_tokens"]) == ("stop", 3, 4)


def test_a_responses_stream_that_was_cut_short_by_a_filter_says_so():
    response = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
    columns = reply_columns(assembled([{"type": "response.incomplete", "response": response}]))
    assert (columns["finish_reason"], columns["refused"]) == ("content_filter", True)


@given(st.text())
def test_any_text_can_be_split_into_events(text):
    for event in sse_events(text):
        assert event != "[DONE]"


keys = ("type", "choices", "delta", "index", "message", "content_block", "usage", "response", "item", "model")
kinds = st.sampled_from(["message_start", "content_block_start", "content_block_delta", "message_delta"])


@given(st.lists(st.dictionaries(st.sampled_from(keys), kinds | json_values, max_size=5), max_size=5))
def test_any_events_amount_to_something(events):
    reply_columns(assembled(events))

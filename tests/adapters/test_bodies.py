from stillwatch.adapters.bodies import embedded_json, reply_columns, request_columns, typed, usage_columns


def test_parameters_have_one_name_whatever_the_api_calls_them():
    chat = {
        "max_completion_tokens": 9,
        "n": 2,
        "reasoning_effort": "low",
        "response_format": {"type": "text"},
    }
    responses = {
        "max_output_tokens": 9,
        "n": 2,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "text"}},
    }
    expected = {
        "max_tokens": 9,
        "choice_count": 2,
        "reasoning_level": "low",
        "response_format": "text",
    }
    assert request_columns(chat) == expected
    assert request_columns(responses) == expected


def test_old_completions_ask_for_log_probabilities_by_number():
    assert request_columns({"logprobs": 5}) == {"logprobs": True}
    assert request_columns({"logprobs": 0}) == {"logprobs": False}
    assert request_columns({"logprobs": False}) == {"logprobs": False}


def test_the_callers_own_user_is_found_in_both_apis():
    assert request_columns({"safety_identifier": "u"}) == {"end_user_id": "u"}
    assert request_columns({"metadata": {"user_id": "u"}}) == {"end_user_id": "u"}


def test_replies_of_three_apis_end_alike():
    chat = {"choices": [{"finish_reason": "stop", "message": {"content": "x"}}]}
    responses = {"status": "completed", "output": [{"type": "message", "content": []}]}
    anthropic = {"stop_reason": "end_turn", "content": [{"type": "text", "text": "x"}]}
    assert reply_columns(chat) == {"finish_reason": "stop", "refused": False}
    assert reply_columns(responses) == {"finish_reason": "stop", "refused": False}
    assert reply_columns(anthropic) == {"finish_reason": "end_turn", "refused": False}


def test_a_refusal_is_told_by_the_message_as_well_as_by_the_reason():
    in_chat = {"choices": [{"finish_reason": "stop", "message": {"refusal": "I will not"}}]}
    in_part = {"status": "completed", "output": [{"content": [{"type": "refusal", "refusal": "no"}]}]}
    by_filter = {"choices": [{"finish_reason": "content_filter", "message": {}}]}
    for reply in (in_chat, in_part, by_filter):
        assert reply_columns(reply)["refused"] is True


def test_a_reply_that_was_cut_short_says_why():
    reply = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert reply_columns(reply)["finish_reason"] == "max_output_tokens"


def test_tokens_are_read_from_both_kinds_of_usage():
    openai = {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "completion_tokens_details": {"reasoning_tokens": 2},
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    anthropic = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3}
    assert usage_columns(openai) == {
        "input_tokens": 5,
        "output_tokens": 7,
        "reasoning_tokens": 2,
        "cached_tokens": 0,
    }
    assert usage_columns(anthropic) == {"input_tokens": 5, "output_tokens": 7, "cached_tokens": 3}


def test_json_inside_a_string_is_read_and_any_other_string_is_left():
    assert embedded_json('{"a": 1}') == {"a": 1}
    assert embedded_json('{"a": 1') == '{"a": 1'
    assert embedded_json("plain") == "plain"


def test_texts_stand_for_numbers_only_where_a_number_is_due():
    row = {"choice_count": "2", "stream": "True", "account_id": 12, "temperature": "hot"}
    assert typed(row) == {"choice_count": 2, "stream": True, "account_id": "12", "temperature": "hot"}

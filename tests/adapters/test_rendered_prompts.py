import time

import pytest

from stillwatch.adapters.rendered_prompts import messages_of

SYSTEM, EARLIER, ANSWER, ASKED = "Be brief.", "Which pier?", "Pier two.", "And on Friday?"
TURNS = [("user", EARLIER), ("assistant", ANSWER), ("user", ASKED)]


def joined(form, turns):
    return "".join(form.format(role=role, text=text) for role, text in turns)


PROMPTS = {
    "llama-3": "<|begin_of_text|>"
    + joined("<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>", [("system", SYSTEM), *TURNS])
    + "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "llama-4": joined("<|header_start|>{role}<|header_end|>\n\n{text}<|eot|>", [("system", SYSTEM), *TURNS]),
    "chatml": joined("<|im_start|>{role}\n{text}<|im_end|>\n", [("system", SYSTEM), *TURNS])
    + "<|im_start|>assistant\n",
    "harmony": joined("<|start|>{role}<|message|>{text}<|end|>", [("developer", SYSTEM), *TURNS])
    + "<|start|>assistant<|channel|>analysis<|message|>",
    "llama-2": f"<s>[INST] <<SYS>>\n{SYSTEM}\n<</SYS>>\n\n{EARLIER} [/INST] {ANSWER} </s><s>[INST] {ASKED} [/INST]",
    "mistral": f"<s>[SYSTEM_PROMPT]{SYSTEM}[/SYSTEM_PROMPT][INST]{EARLIER}[/INST]{ANSWER}</s>[INST]{ASKED}[/INST]",
    "deepseek": f"<｜begin▁of▁sentence｜>{SYSTEM}<｜User｜>{EARLIER}<｜Assistant｜>{ANSWER}<｜end▁of▁sentence｜>"
    f"<｜User｜>{ASKED}<｜Assistant｜>",
    "claude": f"{SYSTEM}\n\nHuman: {EARLIER}\n\nAssistant: {ANSWER}\n\nHuman: {ASKED}\n\nAssistant:",
}


@pytest.mark.parametrize("family", PROMPTS)
def test_a_rendered_prompt_gives_its_messages_back(family):
    expected = [("system", SYSTEM), *TURNS]
    assert [(message["role"], message["content"]) for message in messages_of(PROMPTS[family])] == expected


def test_gemma_has_no_system_turn():
    prompt = joined("<start_of_turn>{role}\n{text}<end_of_turn>\n", TURNS)
    assert [(message["role"], message["content"]) for message in messages_of(f"<bos>{prompt}")] == TURNS


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "When is high water?",
        "What does [INST] mean?",
        "Explain <|im_start|>user in a sentence",
        "She said:\n\nHuman: is the word",
        "<|im_start|>assistant\nalone",
    ],
)
def test_a_prompt_that_is_not_rendered_stays_whole(prompt):
    assert messages_of(prompt) is None


@pytest.mark.parametrize(
    "prompt",
    ["\n\nHuman:" * 300_000, "[INST]" + "<<SYS>>" * 300_000, "<|start|>" + "a" * 1_000_000, " \n" * 1_000_000],
    ids=["claude", "llama-2", "harmony", "blank"],
)
def test_no_prompt_takes_more_than_linear_time(prompt):
    began = time.process_time()
    messages_of(prompt)
    assert time.process_time() - began < 20, "seconds; linear time takes a fraction of one"

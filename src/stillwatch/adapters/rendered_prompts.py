"""Prompts that a chat template has rendered into one string → the messages they were made of.

Completion endpoints and many Bedrock models take such strings. Left whole, a system text that
thousands share and the conversation so far would count as what the user asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ROLES = {
    "user": "user",
    "human": "user",
    "inst": "user",
    "assistant": "assistant",
    "model": "assistant",
    "/inst": "assistant",
    "system": "system",
    "developer": "system",
    "system_prompt": "system",
}
"""Names of roles in any template, in lower case; another name (a tool's) is passed over."""


@dataclass(frozen=True, slots=True)
class _Template:
    """How one family of models marks turns.

    `turn` matches a marker and captures the role. `start` must match where the prompt begins, so that a
    prompt which only quotes a marker stays whole. `leading_system` says that text before the first
    marker is the system's.
    """

    start: str
    turn: str
    end: str
    leading_system: bool = False


_TEMPLATES = (
    _Template(  # Llama 3
        r"\s*+(?:<\|begin_of_text\|>)?\s*<\|start_header_id\|>",
        r"<\|start_header_id\|>\s*(\w{1,32})\s*<\|end_header_id\|>",
        r"<\|(?:eot_id|eom_id|begin_of_text|end_of_text)\|>",
    ),
    _Template(  # Llama 4
        r"\s*+(?:<\|begin_of_text\|>)?\s*<\|header_start\|>",
        r"<\|header_start\|>\s*(\w{1,32})\s*<\|header_end\|>",
        r"<\|(?:eot|eom|begin_of_text|end_of_text)\|>",
    ),
    _Template(r"\s*+<\|im_start\|>", r"<\|im_start\|>(\w{1,32})", r"<\|im_end\|>"),  # ChatML: Qwen, others
    _Template(  # gpt-oss: harmony
        r"\s*+<\|start\|>\w{1,32}[^<]{0,200}<\|message\|>",
        r"<\|start\|>(\w{1,32})[^<]{0,200}(?:<\|channel\|>[^<]{0,200})?<\|message\|>",
        r"<\|(?:end|return|call)\|>",
    ),
    _Template(  # Gemma
        r"\s*+(?:<bos>)?\s*<start_of_turn>", r"<start_of_turn>(\w{1,32})", r"<end_of_turn>|<bos>|<eos>"
    ),
    _Template(  # Llama 2 and Mistral
        r"\s*+(?:<s>)?\s*\[(?:INST|SYSTEM_PROMPT)\]", r"\[(/?INST|/?SYSTEM_PROMPT)\]", r"</?s>"
    ),
    _Template(  # DeepSeek
        r"\s*+<｜(?:begin▁of▁sentence|User)｜>",
        r"<｜(User|Assistant)｜>",
        r"<｜(?:begin|end)▁of▁sentence｜>",
        leading_system=True,
    ),
    _Template(  # Claude before the messages API; atomic, since a prompt may hold a million first markers
        r"(?s:(?>.*?\n\nHuman:).*\n\nAssistant:)", r"\n\n(Human|Assistant):", r"(?!)", leading_system=True
    ),
)

_LLAMA_2_SYSTEM = ("<<SYS>>", "<</SYS>>")


def messages_of(prompt: str) -> list[dict[str, str]] | None:
    """Return the messages of a rendered prompt in their order, or None for one that is not rendered."""
    for template in _TEMPLATES:
        if re.match(template.start, prompt):
            messages = _split(prompt, template)
            return messages if any(message["role"] == "user" for message in messages) else None
    return None


def _split(prompt: str, template: _Template) -> list[dict[str, str]]:
    before, *rest = re.split(template.turn, re.sub(template.end, "", prompt))
    turns = [("system", before)] if template.leading_system else []
    turns += [(ROLES.get(role.lower(), ""), text) for role, text in zip(rest[::2], rest[1::2], strict=True)]
    messages: list[dict[str, str]] = []
    for role, text in turns:
        if role == "user":
            system, text = _llama_2_system(text)
            messages += [{"role": "system", "content": system}] if system else []
        if role and text.strip():
            messages.append({"role": role, "content": text.strip()})
    return messages


def _llama_2_system(text: str) -> tuple[str, str]:
    """Take the system text out of a user turn."""
    opening, closing = _LLAMA_2_SYSTEM
    before, found, rest = text.partition(opening)
    system, closed, after = rest.partition(closing)
    return (system.strip(), before + after) if found and closed else ("", text)

"""The client of the recorded LiteLLM proxy: two principals, both official clients.

Run by `record_fixtures.py` in LiteLLM's environment: `python litellm_program.py PROXY`.
"""

from __future__ import annotations

import sys

import anthropic
import calls
import openai

HEADERS = {"User-Agent": "harbour-app/2.1"}


def main() -> None:
    """Make every OpenAI call under one key and every Anthropic call under another."""
    proxy = sys.argv[1]
    client = openai.OpenAI(base_url=f"{proxy}/v1", api_key="sk-invented-ada", max_retries=0, default_headers=HEADERS)
    calls.run(calls.openai_calls(client), openai.APIError)
    messages = anthropic.Anthropic(
        base_url=proxy, auth_token="sk-invented-bo", api_key=None, max_retries=0, default_headers=HEADERS
    )
    calls.run(calls.anthropic_calls(messages), anthropic.APIError)


if __name__ == "__main__":
    main()

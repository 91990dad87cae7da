"""A refusal in the error shape of the API that was called, so that its clients tell it as they tell their own."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stillwatch.gate.applying import Api
from stillwatch.gate.contract import Decision, Notice

ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    403: "permission_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
OPENAI_KINDS = {
    403: "permission_error",
    429: "rate_limit_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}
GEMINI_STATUSES = {
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

REFUSED = Notice("refused", "This call was refused by the provider's policy.", "")
"""What is told where a policy gives no notice of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply of ours."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def refusal(decision: Decision, api: Api | None) -> Answer:
    """Return the answer to a call that goes no further: 429 where waiting helps, else 403."""
    notice = decision.notice or REFUSED
    if decision.retry_after_s > 0:
        return answer(429, notice, api, decision.retry_after_s)
    return answer(403, notice, api)


def answer(status: int, notice: Notice, api: Api | None, retry_after_s: int = 0) -> Answer:
    """Return an error in the shape of an API, OpenAI's where the path tells of none."""
    told = f"{notice.text} (reference {notice.reference})" if notice.reference else notice.text
    ours = {"code": notice.code, "reference": notice.reference}
    content: dict[str, object]
    if api == "anthropic":
        kind = ANTHROPIC_KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        content = {"type": "error", "error": {"type": kind, "message": told, **ours}}
    elif api == "gemini":
        kind = GEMINI_STATUSES.get(status, "INVALID_ARGUMENT")
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": notice.code, "metadata": ours}
        content = {"error": {"code": status, "message": told, "status": kind, "details": [reason]}}
    else:
        kind = OPENAI_KINDS.get(status, "invalid_request_error")
        content = {"error": {"message": told, "type": kind, "param": None, **ours}}
    body = msgspec.json.encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after_s > 0:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    return Answer(status, tuple(headers), body)

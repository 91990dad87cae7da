"""A decision in words of HTTP, the same at every door that has only a status and headers to say it with.

Who is refused learns a code, a sentence and a reference. What else a decision holds is for the provider's own systems:
it goes into headers of calls that pass, and never into an answer that a caller gets.
"""

from __future__ import annotations

import msgspec

from stillwatch.gate.contract import Decision, Notice

PREFIX = "x-stillwatch-"

NOTHING = "none"

SILENT = Notice("not-decided", "The call could not be checked. Try again.", "")
"""What a caller is told where the policy closes and wrote no notice."""


def status_of(decision: Decision) -> int:
    """Return the status of a refusal: 503 where nothing was decided, 429 for a rate, 401 for a step-up, else 403.

    Source:  RFC 9470 answers 401 where the same caller must identify better than before.
    """
    if decision.error:
        return 503
    if decision.retry_after_s:
        return 429
    return 401 if decision.rung == "step-up" else 403


def notice_of(decision: Decision) -> Notice:
    """Return what who is refused is told."""
    return decision.notice or SILENT


def notice_json(decision: Decision) -> bytes:
    """Return the body of a refusal."""
    return msgspec.json.encode({"error": worded(notice_of(decision))})


def worded(notice: Notice) -> dict[str, str]:
    """Return a notice as members of a body."""
    return {"code": notice.code, "message": notice.text, "reference": notice.reference}


def refusal_headers(decision: Decision) -> tuple[tuple[str, str], ...]:
    """Return the headers of a refusal: when to come back, or that identification is missing."""
    if decision.retry_after_s:
        return (("retry-after", str(decision.retry_after_s)),)
    if status_of(decision) == 401:
        return (("www-authenticate", 'Bearer error="insufficient_user_authentication"'),)
    return ()


def told(decision: Decision) -> dict[str, str]:
    """Return what systems behind a door must know of a call that passes: rung, tags, and what is left to them.

    A door of this kind changes no request: `x-stillwatch-left` names what was decided and is theirs to carry out.
    """
    left = left_to_others(decision)
    headers = {PREFIX + "rung": decision.rung, **left}
    # Always there: some proxies cannot copy a header that is absent.
    headers[PREFIX + "left"] = ",".join(name.removeprefix(PREFIX) for name in left) or NOTHING
    if decision.error:
        headers[PREFIX + "error"] = decision.error
    for name, value in decision.tag:
        headers[name.lower()] = value
    return headers


def left_to_others(decision: Decision) -> dict[str, str]:
    """Return, as headers, what a door that changes no request leaves to the systems behind it."""
    left = {}
    if decision.max_tokens_max is not None:
        left[PREFIX + "max-tokens"] = str(decision.max_tokens_max)
    if decision.choice_count_max is not None:
        left[PREFIX + "max-choices"] = str(decision.choice_count_max)
    if decision.strip:
        left[PREFIX + "strip"] = ",".join(sorted(decision.strip))
    if decision.route:
        left[PREFIX + "route"] = decision.route
    return left


def encoded(headers: dict[str, str] | tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as they are sent; what could begin another header is taken out."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name.encode("latin-1", "replace"), _safe(value)) for name, value in pairs)


def _safe(value: str) -> bytes:
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode("latin-1", "replace")

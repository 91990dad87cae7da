"""Policies to test with, and calls to ask them about."""

from __future__ import annotations

from pathlib import Path

from stillwatch.gate.contract import Call, Observed, Recognition
from stillwatch.gate.policy import CompiledPolicy, compile_text
from stillwatch.gate.shipped import SHIPPED, policy_text
from stillwatch.grant import micros

NOW_US = micros("2026-12-01T12:00:00Z")

HEAD = """\
version: 1
name: example
status: live
expires: 2027-06-01T00:00:00Z
on_error: {unanswered: open, gentle: open, stern: open}
limits: {accounts_per_hour_max: 100, verified_share_max: 0.1, verified_accounts_min: 10}
notices:
  deny: {code: request-refused, text: We cannot serve this request., appeal: Write to appeals@example.com.}
  identity: {code: identity-needed, text: Please confirm who you are., appeal: Write to appeals@example.com.}
  terms: {code: terms-needed, text: Please accept our terms., appeal: Write to appeals@example.com.}
  rate: {code: rate-limited, text: Please try again later., appeal: Write to support@example.com.}
  unanswered: {code: try-again, text: Please try again., appeal: Write to support@example.com.}
"""

# Everything closed, everything refused, conditions that fail: whatever still passes is kept by a law.
HARSH = (
    HEAD.replace("open", "closed").replace("accounts_per_hour_max: 100", "accounts_per_hour_max: 100000")
    + "on_state_away: {tag: closed, cap: closed, strip: closed, route: closed, step-up: closed, delay: closed,"
    + " deny: closed}\n"
)


def rule(name: str, actions: str, tiers: str = "suspected", when: str = "", more: str = "") -> str:
    """The text of one rule in a list."""
    lines = [
        f"  - name: {name}",
        "    status: live",
        f"    tiers: [{tiers}]",
        "    expires: 2027-06-01T00:00:00Z",
        f"    actions: {actions}",
        "    approval: {by: Somebody, at: 2026-11-01T00:00:00Z, reference: T-1}",
    ]
    if when:
        lines.append(f"    when: {when!r}")
    return "\n".join([*lines, *([f"    {more}"] if more else [])]) + "\n"


def policy(*rules: str, head: str = HEAD) -> CompiledPolicy:
    """A policy of some rules."""
    return compile_text(text(*rules, head=head), "policy.yaml", NOW_US)


def text(*rules: str, head: str = HEAD) -> str:
    return head + ("rules:\n" + "".join(rules) if rules else "")


def harsh() -> CompiledPolicy:
    return policy(
        rule("unknown", "{tag: {x-a: b}, deny: {}}", "none", "account_calls_hour > 1 || foreign_block"),
        rule(
            "broken",
            "{deny: {}}",
            "none, watch, recognised, suspected, confirmed",
            "1 / (turn_index - turn_index) == 1",
        ),
        rule("everybody-else", "{deny: {}, cap: {max_tokens: 1}}", "watch, recognised, suspected, confirmed"),
        head=HARSH,
    )


def shipped() -> dict[str, CompiledPolicy]:
    return {name: compile_text(policy_text(Path(name)), name, NOW_US) for name in SHIPPED}


def call(**more: object) -> Call:
    return Call(**{"time_us": NOW_US, "account_id": "account", "request_model": "model-a", **more})  # type: ignore[arg-type]


def known(tier: str = "suspected", **more: object) -> Recognition:
    if tier == "recognised":
        more, tier = {"signature": "s-1", **more}, "none"
    facts = {"account_key": 7, "tier": tier, "cluster": 1, "campaign_id": "c-1", **more}
    return Recognition(**facts)  # type: ignore[arg-type]


def seen(**more: object) -> Observed:
    facts = {"first_seen_us": NOW_US - 1_000 * 3_600_000_000, "account_calls_hour": 1, **more}
    return Observed(**facts)  # type: ignore[arg-type]

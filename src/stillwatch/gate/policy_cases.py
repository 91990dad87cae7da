"""Cases of a policy: facts and what is to come of them, run as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from stillwatch.errors import Error
from stillwatch.gate.policy import CompiledPolicy, Look
from stillwatch.gate.policy_file import Moment, Problem, convert
from stillwatch.gate.situations import Given, situation, told
from stillwatch.gate.yaml_text import parse
from stillwatch.grant import micros

CASES_MAX = 2_000
"""What a file of 200 kB holds."""


class Expected(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a decision is expected to be; what is not named is not looked at, and lists are in order."""

    rung: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET
    refused: bool | UnsetType = UNSET
    tag: dict[str, str] | UnsetType = UNSET
    max_tokens_max: int | UnsetType | None = UNSET
    choice_count_max: int | UnsetType | None = UNSET
    strip: list[str] | UnsetType = UNSET
    route: str | UnsetType = UNSET
    delayed: bool | UnsetType = UNSET
    delay_ms: int | UnsetType = UNSET
    retry_after_s: int | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    grant_id: str | UnsetType = UNSET
    shadowed: list[str] | UnsetType = UNSET
    reasons: list[str] | UnsetType = UNSET
    error: str | UnsetType = UNSET


class Case(Given, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One situation by name, and what is expected."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    expect: Expected


class CaseFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cases of one policy, all at one time unless they say another."""

    version: Literal[1]
    now: Moment


@dataclass(frozen=True, slots=True)
class Ran:
    """How one case went: nothing differs where it passed."""

    name: str
    line: int
    differs: tuple[tuple[str, Any, Any], ...]
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of a file, with the line of each."""

    now_us: int
    cases: tuple[tuple[int, Case], ...]


def read_cases(text: str, where: str = "") -> Cases:
    """Read a file of cases.

    Raises:  bad-yaml, bad-cases, missing-extra.
    """
    document = parse(text, where)
    body = document.value
    listed = body.get("cases") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(listed, list) or not 0 < len(listed) <= CASES_MAX:
        raise Error("bad-cases", f"expected version, now and 1 to {CASES_MAX:,} cases", where=where)
    problems: list[Problem] = []
    head = convert({name: value for name, value in body.items() if name != "cases"}, CaseFile, (), document, problems)
    found: list[tuple[int, Case]] = []
    for at, each in enumerate(listed):
        case = convert(each, Case, ("cases", at), document, problems)
        if case is not None:
            found.append((document.line(("cases", at)), case))
    if head is None or problems:
        first = min(problems)
        raise Error("bad-cases", first.text, where=f"{where}, line {first.line}")
    return Cases(micros(head.now), tuple(found))


def run_case(policy: CompiledPolicy, line: int, case: Case, now_us: int) -> Ran:
    """Ask the policy, and compare. A situation that cannot be is a case that fails."""
    try:
        call, recognition, observed = situation(case, now_us)
    except Error as error:
        return Ran(case.name, line, (("facts", "a call that can be", error.message),), ())
    decision, looks = policy.explained(call, recognition, observed)
    got = told(decision)
    differs = []
    for name, value in msgspec.structs.asdict(case.expect).items():
        expected = sorted(value) if name == "strip" and value is not UNSET else value
        if expected is not UNSET and got[name] != expected:
            differs.append((name, expected, got[name]))
    return Ran(case.name, line, tuple(differs), tuple(looks))

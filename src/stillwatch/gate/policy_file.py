"""A policy as people write it: its fields, their bounds, and everything that is wrong with a file, by line.

Names of fields are the format (`docs/policy.md`). What no field is known for is refused, since it could be a bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from stillwatch.errors import Error
from stillwatch.gate.contract import Rung, Strip
from stillwatch.gate.yaml_text import Document, Place, parse
from stillwatch.grant import PSEUDONYM_PREFIX, micros

RULES_MAX = 100
"""Each rule of a tier costs some 4 µs a call, and what a hundred rules do together nobody foresees."""

EXEMPTIONS_MAX = 1_000
"""Each was decided by a person and says why."""

EXEMPTED_MAX = 10_000
"""Accounts or organisations of one exemption; a sanction list that clears is the place for more."""

TAGS_MAX = 8
"""Headers of one rule: what a gateway passes on beside a hundred others."""

Choice = Literal["open", "closed"]
Status = Literal["draft", "shadow", "live", "expired"]
RuleTier = Literal["none", "watch", "recognised", "suspected", "confirmed"]

NEEDS_APPROVAL: tuple[Rung, ...] = ("route", "step-up", "deny")
"""What changes an answer or refuses one: a second person says yes before it is live."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)", max_length=60)]
Words = Annotated[str, Meta(min_length=1, max_length=500)]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})$(?!\n)")]
Header = Annotated[str, Meta(pattern=r"^x-[a-z0-9-]+$(?!\n)", max_length=60)]
HeaderValue = Annotated[str, Meta(pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)", max_length=200)]
Subject = Annotated[str, Meta(pattern=rf"^{PSEUDONYM_PREFIX}[0-9a-f]{{16}}$(?!\n)")]
Subjects = Annotated[tuple[Subject, ...], Meta(max_length=EXEMPTED_MAX)]
Count = Annotated[int, Meta(ge=1, le=10**12)]
Weight = Annotated[float, Meta(ge=0, le=1_000)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a policy, in which every name is known."""


class Budget(_Strict, frozen=True):
    """What may be used in an hour: calls, and cost as `Cost` weighs tokens."""

    calls_per_hour: Count | None = None
    cost_per_hour: Count | None = None


class Cap(_Strict, frozen=True):
    """Bounds of one request, and budgets of its account and of its campaign, past which a call is refused for now."""

    max_tokens: Count | None = None
    choices: Annotated[int, Meta(ge=1, le=128)] | None = None
    account: Budget | None = None
    cluster: Budget | None = None
    retry_after_s: Annotated[int, Meta(ge=1, le=3_600)] = 600


class Route(_Strict, frozen=True):
    """Another model answers, and says so."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]


class StepUp(_Strict, frozen=True):
    """The caller must show who they are, or accept terms, before calls go on."""

    need: Literal["identity", "terms"]


class Delay(_Strict, frozen=True):
    """Wait `ms`, and up to `jitter_ms` more, before the call goes on."""

    ms: Annotated[int, Meta(ge=0, le=10_000)]
    jitter_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Deny(_Strict, frozen=True):
    """Refuse."""


class Actions(_Strict, frozen=True, rename={"step_up": "step-up"}):
    """What a rule does, one or several rungs of the ladder."""

    tag: Annotated[dict[Header, HeaderValue], Meta(min_length=1, max_length=TAGS_MAX)] | None = None
    cap: Cap | None = None
    strip: Annotated[tuple[Strip, ...], Meta(min_length=1, max_length=3)] | None = None
    route: Route | None = None
    step_up: StepUp | None = None
    delay: Delay | None = None
    deny: Deny | None = None

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Return the rungs that are there, gentlest first."""
        there: tuple[tuple[Rung, object], ...] = (
            ("tag", self.tag), ("cap", self.cap), ("strip", self.strip), ("route", self.route),
            ("step-up", self.step_up), ("delay", self.delay), ("deny", self.deny),
        )  # fmt: skip
        return tuple(rung for rung, action in there if action is not None)


class Approval(_Strict, frozen=True):
    """Who said yes, when, and where that is on record."""

    by: Words
    at: Moment
    reference: Words


class Rule(_Strict, frozen=True):
    """Calls of these tiers that meet the condition, and what is done with them."""

    name: Name
    status: Status
    tiers: Annotated[tuple[RuleTier, ...], Meta(min_length=1, max_length=5)]
    expires: Moment
    actions: Actions
    when: Annotated[str, Meta(max_length=1_000)] = ""
    description: Annotated[str, Meta(max_length=500)] = ""
    approval: Approval | None = None
    on_state_away: Choice | None = None


class OnError(_Strict, frozen=True):
    """Open or closed where something fails: a call that cannot be decided at all; a condition that cannot be evaluated,
    for gentle actions (tag, cap, strip, delay) and for stern ones (route, step-up, deny)."""

    unanswered: Choice
    gentle: Choice
    stern: Choice


class OnStateAway(_Strict, frozen=True, rename={"step_up": "step-up"}):
    """Whether each action is taken (closed) or not (open) while nothing is remembered and no limit can be checked."""

    tag: Choice = "open"
    cap: Choice = "open"
    strip: Choice = "open"
    route: Choice = "open"
    step_up: Choice = "open"
    delay: Choice = "open"
    deny: Choice = "open"


class Limits(_Strict, frozen=True):
    """How many accounts an hour the policy may touch, past which it tags and a person must look.

    `verified_share_max` binds once `verified_accounts_min` accounts were touched, so that one of one does not trip it.
    """

    accounts_per_hour_max: Annotated[int, Meta(ge=1, le=100_000)]
    verified_share_max: Annotated[float, Meta(ge=0, le=1)]
    verified_accounts_min: Annotated[int, Meta(ge=2, le=100_000)]


class Cost(_Strict, frozen=True):
    """What a token costs, in units of your own."""

    input: Weight = 0.0
    output: Weight = 1.0


class NoticeText(_Strict, frozen=True):
    """What a refused caller is told: a code for programs, a sentence, and how to appeal."""

    code: Name
    text: Words
    appeal: Words


class Notices(_Strict, frozen=True):
    """One notice for each kind of refusal, whatever rule refused: a text that differed by rule would tell the
    signal."""

    deny: NoticeText | None = None
    identity: NoticeText | None = None
    terms: NoticeText | None = None
    rate: NoticeText | None = None
    unanswered: NoticeText | None = None


class Exemption(_Strict, frozen=True):
    """Accounts and organisations, by pseudonym, that no rule of this policy is for."""

    reason: Words
    by: Words
    expires: Moment
    accounts: Subjects = ()
    organizations: Subjects = ()


class PolicyFile(_Strict, frozen=True):
    """A policy, whole."""

    version: Literal[1]
    name: Name
    status: Status
    expires: Moment
    on_error: OnError
    limits: Limits
    description: Annotated[str, Meta(max_length=2_000)] = ""
    on_state_away: OnStateAway = OnStateAway()
    cost: Cost = Cost()
    notices: Notices = Notices()
    exemptions: Annotated[tuple[Exemption, ...], Meta(max_length=EXEMPTIONS_MAX)] = ()
    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] = ()


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a policy. An error keeps it from being loaded, a warning does not."""

    line: int
    level: Literal["error", "warning"]
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that was read: the policy where its fields could be read, the lines, and what is wrong with its fields."""

    policy: PolicyFile | None
    document: Document
    problems: tuple[Problem, ...]


def read(text: str, where: str = "") -> Draft:
    """Read a policy's text; problems of its fields are in the answer, all that can be told apart.

    Raises:  bad-yaml, missing-extra where nothing can be said about its fields.
    """
    document = parse(text, where)
    body = document.value
    if not isinstance(body, dict):
        raise Error("bad-yaml", "expected names and values, got something else", where=where)
    problems: list[Problem] = []
    # One by one, so that a slip in one rule does not hide the next.
    rules = _each(body.get("rules", []), Rule, ("rules",), document, problems)
    exemptions = _each(body.get("exemptions", []), Exemption, ("exemptions",), document, problems)
    rest = {name: value for name, value in body.items() if name not in ("rules", "exemptions")}
    policy = convert(rest, PolicyFile, (), document, problems)
    if policy is not None:
        policy = msgspec.structs.replace(policy, rules=tuple(rules), exemptions=tuple(exemptions))
    return Draft(None if problems else policy, document, tuple(problems))


def schema() -> dict[str, Any]:
    """Return the JSON schema of a policy, for editors."""
    return msgspec.json.schema(PolicyFile)


T = TypeVar("T")


def convert(value: object, kind: type[T], path: Place, document: Document, problems: list[Problem]) -> T | None:
    """Read a part as what it should be; what is wrong is added to `problems`, with its line."""
    try:
        found = msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        text, _, at = str(error).partition(" - at ")
        inner = _path(at)
        unknown = re.search(r"unknown field `(.+)`", text)
        if unknown:
            inner = (*inner, unknown[1])
        named = ".".join(str(each) for each in (*path, *inner))
        problems.append(Problem(document.line((*path, *inner)), "error", "field", f"{named or 'file'}: {_said(text)}"))
        return None
    before = len(problems)
    for inner, moment in _moments(value, path):
        try:
            micros(moment)
        except (ValueError, OverflowError):
            problems.append(Problem(document.line(inner), "error", "field", f"{inner[-1]}: there is no such time"))
    return found if len(problems) == before else None


def _each(values: object, kind: type[T], path: Place, document: Document, problems: list[Problem]) -> list[T]:
    most = RULES_MAX if kind is Rule else EXEMPTIONS_MAX
    if not isinstance(values, list) or len(values) > most:
        problems.append(Problem(document.line(path), "error", "field", f"{path[0]}: expected a list of {most} at most"))
        return []
    found = (convert(value, kind, (*path, at), document, problems) for at, value in enumerate(values))
    return [each for each in found if each is not None]


def _moments(value: object, path: Place) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("expires", "at", "now", "time") and isinstance(inner, str):
                found.append(((*path, name), inner))
            else:
                found += _moments(inner, (*path, name))
    return found


def _path(spelt: str) -> Place:
    """Turn what msgspec says, such as `$.rules[0].actions` or `key` in `$.tag`, into a path."""
    spelt = spelt.rpartition("`$")[2].rstrip("`")
    return tuple(int(place) if place else name for name, place in re.findall(r"\.([\w-]+)|\[(\d+)\]", spelt))


def _said(text: str) -> str:
    text = text.replace("Object", "it").replace("`", "'")
    if "matching regex" in text:
        text = "it is not spelt as it must be, see docs/policy.md"
    return text[:1].lower() + text[1:]

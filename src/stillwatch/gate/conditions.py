"""Conditions of rules: CEL over the fields of `contract.Facts`, checked when compiled; the one importer of CEL.

A condition is one expression that is true or false. It has no macros: facts are single values, so there is nothing to
go through, and every condition ends after as many steps as it has characters.

Source:  the Common Expression Language, cel.dev; its regular expressions are RE2, linear in what they look at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from stillwatch.errors import Error
from stillwatch.gate.contract import Facts

CONDITION_CHARS_MAX = 1_000
"""A dozen comparisons; what is longer is two rules."""

REMEMBERED = frozenset(
    {
        "foreign_block",
        "failover",
        "evidence_families",
        "account_age_hours",
        "account_calls_hour",
        "account_calls_day",
        "account_tokens_hour",
        "cluster_calls_hour",
        "cluster_tokens_hour",
        "cluster_accounts_hour",
    }
)
"""Facts that the state brings: without it they are 0 or false, and may be wrong."""

NAMES = tuple(each.name for each in fields(Facts))

_STRING = re.compile(r"""[rR]?("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
_MACRO = re.compile(r"\b(all|exists|exists_one|map|filter|has)\s*\(")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


class ConditionError(Exception):
    """A condition that could not be evaluated; says why, and nothing of the call."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition. `names` are the facts that it speaks of, `bare` the one that it merely names."""

    text: str
    names: frozenset[str]
    compiled: Any
    bare: str = ""
    is_negated: bool = False

    @property
    def needs_state(self) -> bool:
        """Tell whether it speaks of what is remembered, and not of what to do where nothing can be."""
        return bool(self.names & REMEMBERED) and "state_available" not in self.names

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Evaluate it over facts by name. Raises ConditionError where CEL gives no answer (a division by zero).

        Cost:    some 3 µs, and 10 µs for a regular expression; a tenth where it is one fact, or the contrary of one.
        """
        if self.bare:
            return bool(facts[self.bare]) is not self.is_negated
        try:
            # Handing over every fact would take longer than evaluating.
            answer = self.compiled.eval(data={name: facts[name] for name in self.names}).value()
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConditionError("the library refused the facts") from error
        if answer is True or answer is False:
            return bool(answer)
        raise ConditionError(str(answer)[:200])


class Compiler:
    """Compiles conditions; one environment serves all rules of a policy.

    Raises:  Error missing-extra.
    """

    def __init__(self) -> None:
        try:
            from cel_expr_python import cel
        except ImportError as error:
            raise Error(
                "missing-extra",
                "conditions of policies need cel-expr-python, which is not installed",
                hint='install the extra: pip install "stillwatch[gate]"',
            ) from error
        types = {str: cel.Type.STRING, int: cel.Type.INT, bool: cel.Type.BOOL}
        hints = get_type_hints(Facts)
        self._bool = cel.Type.BOOL
        self._environment = cel.NewEnv(variables={name: types[hints[name]] for name in NAMES})

    def compile(self, text: str) -> Condition:
        """Compile and check one condition. Raises ConditionError, which says what is wrong and where."""
        plain = _STRING.sub("''", text)
        if len(text) > CONDITION_CHARS_MAX:
            raise ConditionError(f"it has more than {CONDITION_CHARS_MAX:,} characters")
        if "\0" in text or (not text.isprintable() and not text.replace("\n", "").isprintable()):
            raise ConditionError("it has control characters")
        if _MACRO.search(plain):
            raise ConditionError("macros are not allowed: a fact is one value")
        try:
            compiled = self._environment.compile(text)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConditionError(_first_line(str(error))) from error
        if compiled.return_type() != self._bool:
            raise ConditionError(f"it is not true or false, but of type {compiled.return_type().name()}")
        names = frozenset(_WORD.findall(plain)) & frozenset(NAMES)
        one = re.fullmatch(r"\s*(!?)\s*(\w+)\s*", text)
        bare = one[2] if one and one[2] in names else ""
        return Condition(text, names, compiled, bare, bool(one and one[1]))


def literals(text: str) -> tuple[list[int], list[str]]:
    """Return the whole numbers and the texts that a condition compares with."""
    texts = [each[1:-1] for each in _STRING.findall(text)]
    numbers = [int(each) for each in re.findall(r"(?<![\w.])\d{1,18}(?![\w.])", _STRING.sub("''", text))]
    return numbers, texts


def _first_line(said: str) -> str:
    """Return what CEL says is wrong, without its own picture of the place."""
    line = said.split("\n", 1)[0].removeprefix("INVALID_ARGUMENT: ERROR: ")
    return re.sub(r"^<input>:(\d+):(\d+): ", lambda at: f"at {at[1]}:{at[2]}, ", line)[:300]

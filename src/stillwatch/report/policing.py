"""What a policy says, what is wrong with it, how its cases went, and who another would treat differently, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.gate.contract import Facts
from stillwatch.gate.policy import CompiledPolicy, Look
from stillwatch.gate.policy_cases import Ran
from stillwatch.gate.policy_file import PolicyFile, Problem
from stillwatch.gate.rehearsal import Outlook
from stillwatch.report import wording
from stillwatch.report.terminal import trimmed

VERDICTS = {
    "met": "met",
    "not-met": "its condition is not met",
    "expired": "it has expired",
    "state-away": "it speaks of what is remembered, and the state is away",
    "condition-failed": "its condition could not be evaluated",
}

LAWS = {
    "one-family": "one family of evidence does no more than cap an account that nobody named",
    "state-away": "the state is away, and limits and budgets cannot be checked",
    "radius-exceeded": "the policy is past its limit of accounts an hour, or of verified ones",
}


def problem_lines(problems: Iterable[Problem], where: str) -> list[str]:
    """Write one line for each problem, as compilers do."""
    return [f"{where}:{each.line}: {each.level}: {wording.printable(each.text)} [{each.code}]" for each in problems]


def lint_verdict(problems: Sequence[Problem], where: str) -> str:
    """Say how it ended."""
    errors = sum(each.level == "error" for each in problems)
    warnings = len(problems) - errors
    if not problems:
        return f"{where}: nothing is wrong"
    return f"{where}: {_many(errors, 'error')}, {_many(warnings, 'warning')}"


def case_lines(ran: Sequence[Ran], where: str) -> list[str]:
    """Write what failed, with what was expected, what came and why, and how many passed."""
    lines: list[str] = []
    for each in ran:
        if not each.differs:
            continue
        lines.append(f"{where}:{each.line}: {wording.printable(each.name)}")
        for name, expected, got in each.differs:
            lines += [f"    - {name}: {expected!r}", f"    + {name}: {got!r}"]
        lines += [f"      {line}" for line in look_lines(each.looks)]
    failed = sum(bool(each.differs) for each in ran)
    lines.append(f"{where}: {len(ran) - failed} of {len(ran)} cases passed")
    return lines


def look_lines(looks: Iterable[Look]) -> list[str]:
    """Say of each rule that was looked at what came of it."""
    lines = []
    for look in looks:
        said = VERDICTS[look.verdict]
        if look.taken or look.dropped:
            said += f", {'does' if look.status == 'live' else 'would do'} {', '.join(look.taken) or 'nothing'}"
        if look.dropped:
            said += f" and not {', '.join(look.dropped)}"
        said += "".join(f"; {LAWS[law]}" for law in look.laws)
        lines.append(f"{look.rule} ({look.status}): {said}")
    return lines


def explanation(decision: dict[str, Any], facts: Facts, looks: Sequence[Look], policy: str) -> list[str]:
    """Say what is done with one call and why."""
    head = [
        f"decision      {decision['rung']}" + (f", by rule {decision['rule']}" if decision["rule"] else ""),
        f"policy        {policy}",
        f"tier          {facts.tier}, {_many(facts.evidence_families, 'family of evidence', 'families of evidence')}",
    ]
    shown = {
        "tag": ", ".join(f"{name}: {value}" for name, value in decision["tag"].items()),
        "max tokens": decision["max_tokens_max"],
        "choices": decision["choice_count_max"],
        "strip": ", ".join(decision["strip"]),
        "route": decision["route"],
        "delay": f"{decision['delay_ms']} ms" if decision["delayed"] else "",
        "retry after": f"{decision['retry_after_s']} s" if decision["retry_after_s"] else "",
        "notice": decision["notice"],
        "grant": decision["grant_id"],
        "shadowed": ", ".join(decision["shadowed"]),
        "reasons": ", ".join(decision["reasons"]),
        "error": decision["error"],
    }
    body = [f"{name:<14}{wording.printable(str(value))}" for name, value in shown.items() if value not in ("", None)]
    rules = look_lines(looks) or ["none: no rule is for this call"]
    return [*head, *body, "rules", *(f"  {line}" for line in rules)]


def show(compiled: CompiledPolicy, console: Console) -> None:
    """Print what a policy does, a line for each rule."""
    policy = compiled.source
    with trimmed(console):
        console.print(Text(f"{compiled.ident}, {policy.status} until {policy.expires}", style="bold"))
        if policy.description:
            console.print(Text(wording.printable(policy.description)))
        console.print(Text(_limits(policy)))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("rule", "status", "tiers", "when", "actions", "until"):
            table.add_column(name, overflow="fold")
        for rule in policy.rules:
            cells = (rule.name, rule.status, " ".join(rule.tiers), rule.when, " ".join(rule.actions.rungs))
            table.add_row(*(Text(wording.printable(cell)) for cell in (*cells, rule.expires[:10])))
        console.print(table)


def outlook(found: Outlook, console: Console) -> None:
    """Print who would be treated differently."""
    least = "at least " if found.is_full else ""
    with trimmed(console):
        console.print(Text(f"{found.after} against {found.before}: {wording.count(found.calls_count)} calls", "bold"))
        if found.rejected_count:
            console.print(Text(f"{wording.count(found.rejected_count)} records could not be read"))
        if not found.differences:
            console.print(Text("nobody would be treated differently"))
        else:
            console.print(_differences(found))
            console.print(
                Text(
                    f"{wording.count(found.calls_differ_count)} calls of {least}"
                    f"{wording.count(found.accounts_differ_count)} accounts would be treated differently; of these "
                    f"accounts {wording.count(found.verified_accounts_differ_count)} are verified, and "
                    f"{wording.count(found.unknown_accounts_count)} that nobody named (none, watch) would be treated "
                    "more sternly"
                )
            )
        for rule, calls in found.shadowed.items():
            console.print(Text(f"in shadow, {rule} would have met {wording.count(calls)} calls"))


def _differences(found: Outlook) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("tier", "before", "after"):
        table.add_column(name)
    for name in ("calls", "accounts", "verified"):
        table.add_column(name, justify="right")
    for each in found.differences:
        counts = (each.calls_count, each.accounts_count, each.verified_accounts_count)
        table.add_row(each.tier, each.rung_before, each.rung_after, *(wording.count(count) for count in counts))
    return table


def _limits(policy: PolicyFile) -> str:
    limits = policy.limits
    return (
        f"at most {wording.count(limits.accounts_per_hour_max)} accounts an hour, and {limits.verified_share_max:.0%} "
        f"verified ones among {wording.count(limits.verified_accounts_min)} or more"
    )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"

"""Write docs/benchmark-gate.md from the figures kept in docs/benchmark-gate.json; nobody edits the page by hand.

    .venv/bin/python -m bench.gate_page                                        the page again, from the kept figures
    .venv/bin/python -m bench.gate_page --gate build/bench/gate.json --immunisation build/bench/immunisation.json

What was not measured it says so of, and what was promised and missed too.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import gate_figures as figures
from bench.detection import ROOT
from bench.gate_figures import misses, target_table, targets
from bench.scale_figures import NOT_YET
from stillwatch.lab.benchmark.figures import count, paragraph, percent, small, table
from stillwatch.lab.score import upper_bound

Found = dict[str, Any]

KEPT = ROOT / "docs" / "benchmark-gate.json"
PAGE = ROOT / "docs" / "benchmark-gate.md"
PARTS = ("gate", "immunisation")

SUMMED = ("accounts", "calls", "recognised_calls", "acted_calls", "recognised_accounts", "acted_accounts")


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gate", type=Path, help="what bench.gate wrote")
    options.add_argument("--immunisation", type=Path, help="what bench.immunisation wrote")
    asked = options.parse_args(arguments)
    found = kept()
    for part in PARTS:
        if given := getattr(asked, part):
            found[part] = json.loads(given.read_text(encoding="utf-8"))
    KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(whole(found), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


def kept() -> Found:
    """Return the kept figures; a part that was never measured is None."""
    held = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return {part: held.get(part) for part in PARTS}


def whole(found: Found) -> str:
    """Return the page."""
    gate, immune = found["gate"], found["immunisation"]
    told = targets(gate, immune)
    parts = [
        "# The gate, measured",
        "*Made by `python -m bench.gate_page` from measured figures; edit neither by hand.*",
        paragraph(
            "What the gate takes, each figure beside its yardstick of the same run, and whom it stops in simulated "
            "traffic. Times are one machine's own; the shares are what carries over."
        ),
    ]
    if gate and gate.get("quick"):
        parts.append("**A glance: these are tiny counts, and no measurement.**")
    parts += ["## What was promised", target_table(told), *map(paragraph, misses(told))]
    steps = (figures.core, figures.door, figures.proxy, figures.envoy, figures.swap, figures.state)
    parts += [step(gate or {}) for step in steps]
    parts += ["## Immunisation", *immunisation(immune), "## Measured on", *origin(gate, immune), "## Again", AGAIN]
    return "\n\n".join(parts) + "\n"


AGAIN = """```sh
make bench-gate    # speed, then immunisation; goes on where it stopped
.venv/bin/python -m bench.gate_page --gate build/bench/gate.json --immunisation build/bench/immunisation.json
```"""

METHOD = (
    "A campaign's accounts are parted in two, and the standby's calls are kept from detection: those of the accounts "
    "that begin after a handover where the scenario has one, else those of a random half. What detection finds in the "
    "rest becomes a signed snapshot; then the gate decides, in order of time and under the policy `{policy}`, the "
    "standby's calls, the honest calls of the same world, and a world of look-alikes that detection has not seen. A "
    "standby of a campaign that was not found counts as missed."
)


def immunisation(found: Found | None) -> list[str]:
    """Return the section on replacement accounts, and on everybody else."""
    if not found:
        return [f"This is {NOT_YET}: `python -m bench.immunisation`."]
    return [paragraph(METHOD.format(policy=found["policy"])), recall(found), falls(found), *false_classes(found)]


def recall(found: Found) -> str:
    head = ("scenario", "seed", "standby by", "campaigns found", "signatures", "standby accounts")
    rows = [(*head, "recognised by call 1", "2", "3", "refused by call 1", "3")]
    for row in found["rows"]:
        standbys = row["own_world"]["standby"].values()

        def summed(name: str, parts: Sequence[Found] = tuple(standbys)) -> int:
            return sum(one[name] for one in parts)

        rows.append((
            row["scenario"], str(row["seed"]), row["standby_by"], count(row["found_campaigns"]),
            count(row["counts"].get("signatures", 0)), count(summed("accounts")),
            *(count(summed(f"recognised_by_{n}")) for n in (1, 2, 3)),
            *(count(summed(f"refused_by_{n}")) for n in (1, 3)),
        ))  # fmt: skip
    rows.append((
        "**all**", "", "", "", "", count(found["standby_accounts"]),
        *(count(found[f"recognised_by_{n}"]) for n in (1, 2, 3)),
        *(count(found[f"refused_by_{n}"]) for n in (1, 3)),
    ))  # fmt: skip
    marked = max(found["standby_accounts_of_marked"], 1)
    of_marked = [f"{100 * found[f'recognised_by_{n}'] / marked:.1f} %" for n in (1, 3)]
    told = (
        f"Of {count(found['standby_accounts'])} standby accounts {_share(found, 1)} were recognised at their first "
        f"call and {_share(found, 3)} by their third. {count(found['standby_accounts_of_marked'])} belong to campaigns "
        f"of which any call was recognised, and of these {of_marked[0]} were recognised at their first call and "
        f"{of_marked[1]} by their third. The others' campaigns were not found in this world, or share their template "
        "with so many accounts that no run named that they have no signature; the bound on those was moved after "
        "evasion 5 had been seen on another seed. Accounts of one campaign are recognised together or not at all, so "
        "that a bound on accounts says less than their number suggests."
    )
    return table(rows, (0, 2)) + "\n\n" + paragraph(told)


def _share(found: Found, calls: int) -> str:
    total, met = found["standby_accounts"], found[f"recognised_by_{calls}"]
    if not total:
        return NOT_YET
    return f"{percent(met / total)} (at least {percent(1 - upper_bound(total - met, total))})"


def falls(found: Found) -> str:
    """Return how many honest calls met a signature or a decision, with bounds."""
    calls, accounts = found["honest_calls"], found["honest_accounts"]
    rows = [("honest", "of", "seen", "share", "at most (95 %)")]
    for what, seen, total in (
        ("calls recognised", found["honest_recognised_calls"], calls),
        ("calls that a decision touched", found["honest_acted_calls"], calls),
        ("accounts that a decision touched", found["honest_acted_accounts"], accounts),
    ):
        rows.append((what, count(total), count(seen), small(seen / max(total, 1)), small(upper_bound(seen, total))))
    told = (
        "*At most* is the exact one-sided bound of Clopper and Pearson; where none was seen it is three over their "
        "number. Calls of one account are not independent, so that the bound on calls says less than their number "
        "suggests. A decision touches a call where its rung is `cap` or sterner."
    )
    return table(rows) + "\n\n" + paragraph(told)


def false_classes(found: Found) -> list[str]:
    """Return the honest classes of which anybody was recognised; nothing where there is none."""
    summed: defaultdict[str, Found] = defaultdict(lambda: dict.fromkeys(SUMMED, 0))
    for row in found["rows"]:
        for world in ("own_world", "unseen_world"):
            for name, one in row[world]["honest"].items():
                for key in SUMMED:
                    summed[name][key] += one[key]
    rows = [("honest class", "accounts", "calls", "calls recognised", "calls touched", "accounts touched")]
    rows += [
        (name, *(count(one[key]) for key in ("accounts", "calls", "recognised_calls", "acted_calls", "acted_accounts")))
        for name, one in sorted(summed.items())
        if one["recognised_calls"] or one["acted_calls"]
    ]
    if len(rows) == 1:
        return [paragraph(f"None of the {len(summed)} honest classes had a call that was recognised.")]
    return [table(rows), paragraph(f"The other {len(summed) - len(rows) + 1} honest classes had none.")]


def origin(gate: Found | None, immune: Found | None) -> list[str]:
    """Return machine, code, seeds and sizes."""
    rows = [("", "speed", "immunisation")]
    both = (gate, immune)
    for name, said in (
        ("Stillwatch, commit", lambda each: _code(each["code"])),
        ("processor", lambda each: f"{each['machine']['processor']}, {each['machine']['processors']} of them"),
        ("memory", lambda each: f"{each['machine']['memory_bytes'] / 1e9:.1f} GB"),
        ("system", lambda each: f"{each['machine']['system']}, Python {each['machine']['python']}"),
    ):
        rows.append((name, *(said(each) if each else NOT_YET for each in both)))
    seeds = ", ".join(sorted({str(row["seed"]) for row in immune["rows"]})) if immune else NOT_YET
    rows.append(("seeds", str(gate["seed"]) if gate else NOT_YET, seeds))
    rounds = f"{gate['rounds_count']}, medians of them" if gate else NOT_YET
    rows.append(("rounds", rounds, f"{len(immune['rows'])} worlds" if immune else NOT_YET))
    return [table(rows, (0, 1, 2))]


def _code(code: Found) -> str:
    return f"{code['tool_version']}, `{code['commit']}`" + (" with changes" if code["uncommitted"] else "")


if __name__ == "__main__":
    main()

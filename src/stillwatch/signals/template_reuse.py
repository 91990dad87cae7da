"""Template reuse: many accounts send the same skeleton, and little else."""

from __future__ import annotations

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Mark, Panel

IDENT = "template-reuse"
FAMILY: Family = "content"
NEEDS = frozenset({"system_prompt", "input_text"})


def conclude(panel: Panel) -> Mark | Skipped:
    """Say how many accounts share the skeleton and how much of their traffic it is.

    It makes candidates and decides nothing: public harnesses and recipes are shared by thousands of strangers.

    Sees:       one fixed prompt, with slots or a private preamble, over a pool.
    Misled by:  any popular harness.
    Evaded by:  a new wording for every call.
    Source:     method, stage 1.
    """
    pool = panel.pool()
    if not pool.calls.any():
        return Skipped(IDENT, "no calls of the family")
    accounts, owners = len(panel.accounts), panel.owners()[1]
    share = float(np.median(pool.shares))
    paths = len(np.unique(panel.calls.path[panel.calls.path != 0]))
    over = f" over {paths} access paths" if paths > 1 else ""
    said = Evidence(
        IDENT,
        f"{accounts} accounts of {owners} owners sent {pool.events_count} calls with one skeleton{over}; "
        f"in the median account that is {share:.0%} of its calls",
        share,
        None,
        FAMILY,
    )
    return Mark(IDENT, FAMILY, None, (said,), figures={"share": share})

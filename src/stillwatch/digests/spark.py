"""The digests in Spark's SQL, as tools/transpile.py made them from `digests.statements` (spark.sql beside this file).

Pseudonyms are signed numbers of the same 64 bits; the tool says why that changes no answer.
"""

from __future__ import annotations

import re
from importlib import resources


def load() -> dict[str, str]:
    """Return the statements by the names that they have in `digests.statements`.

    Of several under one name, each has its number behind the name: `IDENTITIES 3`.
    """
    text = resources.files("stillwatch.digests").joinpath("spark.sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- ([A-Z_]+(?: \d+)?)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))

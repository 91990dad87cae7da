"""Decode a canonical Parquet log and throw it away: the ceiling that no detector on this machine can pass.

python bench/decode.py FOLDER

Same columns, threads and batches as `stillwatch detect`, and nothing done with them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.parquet import DICTIONARY_COLUMNS
from stillwatch.event import EVENT_SCHEMA


def main(folder: str) -> None:
    rows = 0
    for path in sorted(Path(folder).glob("*.parquet")):
        with pq.ParquetFile(path, read_dictionary=list(DICTIONARY_COLUMNS)) as file:
            columns = [name for name in EVENT_SCHEMA.names if name in file.schema_arrow.names]
            rows += sum(batch.num_rows for batch in file.iter_batches(ReadSettings().batch_rows, columns=columns))
    print(rows)


if __name__ == "__main__":
    main(sys.argv[1])

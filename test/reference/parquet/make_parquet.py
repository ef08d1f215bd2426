"""Writes the Parquet files beside this script with pyarrow: `pip install pyarrow && python make_parquet.py`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent
TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
table = pa.table(
    {
        "question": ["one, \"two\"", "grüße\n次", None],
        "count": pa.array([1, 2**40, None], pa.int64()),
        "messages": pa.array([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], [], []], TURNS),
    }
)
for compression in ("snappy", "gzip", "zstd"):
    pq.write_table(table, FOLDER / f"rows.{compression}.parquet", compression=compression)

"""A regression table as Parquet, a row per id and minute: train_data.py OUT.parquet ROWS FEATURES

Columns: id, ts, f0 … fN (float32), y (float32). The label depends on five features, in ways that trees have to work for.
"""

import sys

import numpy
import pyarrow
import pyarrow.parquet

out, rows, features = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = numpy.random.default_rng(11)
x = random.standard_normal((features, rows), dtype=numpy.float32)
noise = 0.1 * random.standard_normal(rows, dtype=numpy.float32)
y = x[0] * x[1] + numpy.sin(3 * x[2]) + 0.5 * (x[3] > 0) * x[4] + noise
start = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
ts = start + 60_000_000 * numpy.arange(rows, dtype=numpy.int64)
columns = {"id": pyarrow.array(numpy.arange(rows, dtype=numpy.int64)), "ts": pyarrow.array(ts, pyarrow.timestamp("us", tz="UTC"))}
columns |= {f"f{index}": x[index] for index in range(features)}
pyarrow.parquet.write_table(pyarrow.table(columns | {"y": y.astype(numpy.float32)}), out, compression="zstd", row_group_size=1 << 18)

"""The same as peer_polars.py with DuckDB's window functions: peer_duckdb.py IN.parquet"""

import os
import sys

import duckdb

WINDOWS = (1, 6, 24)
AGGREGATES = (("avg", "mean"), ("stddev_samp", "std"), ("min", "min"), ("max", "max"))
features = ", ".join(f"{function}(cpu) over w{hours} as cpu_{name}_{hours}h" for hours in WINDOWS for function, name in AGGREGATES)
windows = ", ".join(
    f"w{hours} as (partition by host order by ts range between interval '{hours} hours' - interval 1 microsecond preceding and current row)"
    for hours in WINDOWS
)
connection = duckdb.connect()
connection.execute(f"set threads = {os.cpu_count()}")
query = f"select *, {features} from '{sys.argv[1]}' window {windows}"
connection.execute(f"copy ({query}) to '{sys.argv[1]}.duckdb' (format parquet, compression zstd)")

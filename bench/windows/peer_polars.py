"""Mean, deviation, minimum and maximum of cpu over (t - w, t] by host with Polars, Parquet to Parquet: peer_polars.py IN.parquet"""

import sys

import polars

cpu = polars.col("cpu")
features = [
    getattr(cpu, f"rolling_{aggregate}_by")("ts", window_size=window).over("host").alias(f"cpu_{aggregate}_{window}")
    for window in ("1h", "6h", "24h")
    for aggregate in ("mean", "std", "min", "max")
]
rows = polars.scan_parquet(sys.argv[1]).sort("host", "ts").with_columns(features)
rows.collect().write_parquet(sys.argv[1] + ".polars", compression="zstd")

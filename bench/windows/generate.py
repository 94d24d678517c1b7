"""Metrics of hosts as Parquet, in the order of arrival: generate.py OUT.parquet HOSTS DAYS

A row every five minutes, 2 % of them missing; columns host, ts, cpu, mem.
"""

import sys

import numpy
import polars

out, hosts, days = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = numpy.random.default_rng(3)
steps = days * 288
times = numpy.tile(numpy.arange(steps, dtype=numpy.int64) * 300_000_000 + 1_700_000_000_000_000, hosts)
host = numpy.repeat(numpy.arange(hosts, dtype=numpy.int64), steps)
kept = random.random(steps * hosts) > 0.02
times, host = times[kept], host[kept]
order = numpy.argsort(times, kind="stable")
times, host = times[order], host[order]
cpu = (50 + 30 * numpy.sin(times / 8.64e10 * 2 * numpy.pi) + 10 * random.standard_normal(len(times))).clip(0, 100)
rows = polars.DataFrame({"host": host, "ts": times, "cpu": cpu, "mem": random.random(len(times))})
rows.with_columns(polars.col("ts").cast(polars.Datetime("us", "UTC"))).write_parquet(out, compression="zstd")

"""A spine of some of another's rows: narrow.py SPINE.parquet OUT.parquet recent|few   (the last two days; the first thousand entities)"""

import os
import sys

import polars

source, out, which = sys.argv[1:]
spine = polars.read_parquet(source)
last = spine["event_time"].max()
kept = polars.col("event_time") > last - polars.duration(days=2) if which == "recent" else polars.col("entity_id") < 1000
os.makedirs(os.path.dirname(out), exist_ok=True)
spine.filter(kept).write_parquet(out)

"""A spine of some of another's rows: narrow.py SPINE.parquet OUT.parquet recent | narrow.py SPINE.parquet OUT.parquet few ENTITIES

`recent` keeps the last two days, `few` the first ENTITIES entities. Integer keys only.
"""

import sys

import polars

source, out, which = sys.argv[1:4]
spine = polars.read_parquet(source)
if which == "recent":
    kept = polars.col("event_time") > spine["event_time"].max() - polars.duration(days=2)
else:
    kept = polars.col("entity_id") < int(sys.argv[4])
spine.filter(kept).write_parquet(out)

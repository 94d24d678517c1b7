"""Polars' join_asof over every group, Parquet to Parquet: peer_polars.py SPINE GROUPS_DIR GROUPS OUT KEYS [MAX_AGE]"""

import sys

import polars

spine, folder, groups, out, names = sys.argv[1:6]
max_age = (sys.argv[6:] + [""])[0] or None
names = names.split(",")
frame = polars.scan_parquet(spine).sort("event_time")
for group in range(int(groups)):
    features = polars.scan_parquet(f"{folder}/group{group}.parquet").sort("event_time")
    frame = frame.join_asof(features, on="event_time", by=names, strategy="backward", tolerance=max_age, check_sortedness=False)
frame.collect().write_parquet(out, compression="zstd")

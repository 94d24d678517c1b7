"""Window features beside their peers: windows.py --platform BINARY --folder DIR [--repeat N] [--hosts N] [--days N]

Mean, standard deviation, minimum and maximum over 1 h, 6 h and 24 h of one metric. The peers read one Parquet file and write another;
the platform reads its source group and writes its derived group. Then 1 % of the rows are appended, and materialised. The peers'
scripts are in ../shared/bench/windows; where that is missing, nothing is measured.
Needs NumPy and Polars, and DuckDB for its part: `$(scripts/pit-venv) bench/windows.py …`
"""

import argparse
import datetime
import os
import sys

import measurement
import polars

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "..", "..", "shared", "bench", "windows")
HOURS, AGGREGATES = (1, 6, 24), ("mean", "std", "min", "max")
SOURCE = """name = "metrics"
version = 1
entity = [{ name = "host", type = "int64" }]
event_time = "ts"
[[features]]
name = "cpu"
type = "float64"
[[features]]
name = "mem"
type = "float64"
"""
DERIVED = """name = "windows"
version = 1
entity = [{ name = "host", type = "int64" }]
event_time = "ts"
[derive]
from = ["metrics:v1"]
""" + "".join(
    f'[[features]]\nname = "cpu_{aggregate}_{hours}h"\nof = "cpu"\nwindow = "{hours}h"\naggregate = "{aggregate}"\n'
    for hours in HOURS
    for aggregate in AGGREGATES
)


def repository(platform, folder):
    place = measurement.fresh(folder)
    measurement.run([platform, "init", "."], place)
    for name, text in (("metrics", SOURCE), ("windows", DERIVED)):
        measurement.write(os.path.join(place, "feature_groups", f"{name}.toml"), text)
    measurement.run([platform, "apply"], place)
    return place


def differences(place, peer):
    """How many values are not the peer's, to nine digits."""
    files = os.path.join(place, ".platform", "feature_groups", "windows", "v1", "*.parquet")
    ours = polars.scan_parquet(files).drop("__known_at", "__ingest_id", "__row_number")
    both = ours.join(polars.scan_parquet(peer), on=["host", "ts"], how="full", suffix="_peer").collect()
    wrong = 0
    for hours in HOURS:
        for aggregate in AGGREGATES:
            mine, theirs = polars.col(f"cpu_{aggregate}_{hours}h"), polars.col(f"cpu_{aggregate}_{hours}h_peer")
            near = ((mine - theirs).abs() <= 1e-9 * theirs.abs() + 1e-9).fill_null(False) | (mine.is_null() & theirs.is_null())
            wrong += both.height - both.select(near.sum()).item()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=600)
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    os.makedirs(asked.folder, exist_ok=True)
    if not os.path.isdir(PEERS):
        sys.exit("windows: skipped, there is no ../shared/bench here")
    data = os.path.join(asked.folder, f"metrics_{asked.hosts}_{asked.days}.parquet")
    if not os.path.exists(data):
        measurement.run([sys.executable, os.path.join(PEERS, "generate.py"), data, str(asked.hosts), str(asked.days)])
    rows = polars.scan_parquet(data)
    last = rows.select(polars.col("ts").max()).collect().item()
    cut = last - datetime.timedelta(days=asked.days) / 100
    old, new = (os.path.join(asked.folder, f"{part}.parquet") for part in ("old", "new"))
    rows.filter(polars.col("ts") <= cut).collect().write_parquet(old)
    rows.filter(polars.col("ts") > cut).collect().write_parquet(new)

    costs = {name: [] for name in ("platform, all rows", "platform, 1 % appended", "Polars", "DuckDB")}
    wrong = None
    for _ in range(asked.repeat):
        place = repository(asked.platform, os.path.join(asked.folder, "repository"))
        measurement.run([asked.platform, "featuregroup", "ingest", "metrics", "--from", data], place)
        materialize = [asked.platform, "featuregroup", "materialize", "windows"]
        costs["platform, all rows"].append(measurement.run(materialize, place)[0])
        for peer in ("polars", "duckdb"):
            name = {"polars": "Polars", "duckdb": "DuckDB"}[peer]
            costs[name].append(measurement.run([sys.executable, os.path.join(PEERS, f"peer_{peer}.py"), data])[0])
        if wrong is None:
            wrong = differences(place, data + ".polars")
        place = repository(asked.platform, os.path.join(asked.folder, "repository"))
        measurement.run([asked.platform, "featuregroup", "ingest", "metrics", "--from", old], place)
        measurement.run(materialize, place)
        measurement.run([asked.platform, "featuregroup", "ingest", "metrics", "--from", new], place)
        costs["platform, 1 % appended"].append(measurement.run(materialize, place)[0])
    table = []
    for name, runs in costs.items():
        cost = measurement.median(runs)
        table.append([name, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak:,.0f}"])
    count = rows.select(polars.len()).collect().item()
    print(f"{count:,} rows, 12 features; values that differ from Polars' in the ninth digit: {wrong:,}\n")
    measurement.table(["", "wall, s", "CPU, s", "peak, MiB"], table)


if __name__ == "__main__":
    main()

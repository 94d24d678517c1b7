"""Window features beside Polars and DuckDB: windows.py --platform BINARY --folder DIR [--repeat N] [--hosts N] [--days N]

Mean, standard deviation, minimum and maximum over 1 h, 6 h and 24 h of one metric. The peers read one Parquet file and write another;
the platform reads its source group and writes its derived group. Then the last 1 % of the time is appended, and materialised.
Needs the environment of `scripts/pit-venv`.
"""

import argparse
import concurrent.futures
import datetime
import multiprocessing
import os
import sys

import measurement

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "windows")
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


def aside(work, *arguments):
    """What a function gives, from a process of its own: what this one holds would count as held by those that it starts."""
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=fresh) as process:
        return process.submit(work, *arguments).result()


def split(data, folder, days):
    """The rows but for the last 1 % of the time, and those; how many there are in all."""
    import polars

    rows = polars.scan_parquet(data)
    last = rows.select(polars.col("ts").max()).collect().item()
    cut = last - datetime.timedelta(days=days) / 100
    rows.filter(polars.col("ts") <= cut).collect().write_parquet(os.path.join(folder, "old.parquet"))
    rows.filter(polars.col("ts") > cut).collect().write_parquet(os.path.join(folder, "new.parquet"))
    return rows.select(polars.len()).collect().item()


def repository(platform, folder):
    place = measurement.fresh(folder)
    measurement.run([platform, "init", "."], place)
    for name, text in (("metrics", SOURCE), ("windows", DERIVED)):
        measurement.write(os.path.join(place, "feature_groups", f"{name}.toml"), text)
    measurement.run([platform, "apply"], place)
    return place


def differences(place, peer):
    """How many values are not the peer's, to nine digits."""
    import polars

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
    data = os.path.join(asked.folder, f"metrics_{asked.hosts}_{asked.days}.parquet")
    if not os.path.exists(data):
        measurement.run([sys.executable, os.path.join(PEERS, "generate.py"), data, str(asked.hosts), str(asked.days)])
    count = aside(split, data, asked.folder, asked.days)
    old, new = (os.path.join(asked.folder, f"{part}.parquet") for part in ("old", "new"))

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
            wrong = aside(differences, place, data + ".polars")
        place = repository(asked.platform, os.path.join(asked.folder, "repository"))
        measurement.run([asked.platform, "featuregroup", "ingest", "metrics", "--from", old], place)
        measurement.run(materialize, place)
        measurement.run([asked.platform, "featuregroup", "ingest", "metrics", "--from", new], place)
        costs["platform, 1 % appended"].append(measurement.run(materialize, place)[0])
    table = []
    for name, runs in costs.items():
        cost = measurement.median(runs)
        table.append([name, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak:,.0f}"])
    print("### Window features\n")
    print(f"{count:,} rows, 12 features, medians of {asked.repeat}; values that differ from Polars' in the ninth digit: {wrong:,}.\n")
    measurement.table(["what", "seconds", "CPU seconds", "peak memory, MiB"], table)


if __name__ == "__main__":
    main()

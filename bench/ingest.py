"""Rows per second and peak memory of `platform featuregroup ingest`: ingest.py --platform BINARY --folder DIR [--repeat N] [--hosts N]

Bitbrains (real, where ../shared/data is) as Parquet, and a simulated fleet of ten million rows as CSV and as Parquet.
"""

import argparse
import glob
import os

import measurement
import pyarrow.parquet

HERE = os.path.dirname(os.path.abspath(__file__))
BITBRAINS = os.path.join(HERE, "..", "..", "shared", "data", "bitbrains_rnd")
VM_METRICS = """name = "vm_metrics"
version = 1
entity = [{ name = "vm_id", type = "int32" }]
event_time = "timestamp"
mode = "append"
""" + "".join(
    f'\n[[features]]\nname = "{name}"\ntype = "{kind}"\n'
    for name, kind in [
        ("cpu_cores", "int32"), ("cpu_capacity_mhz", "float64"), ("cpu_usage_mhz", "float64"), ("cpu_percent", "float64"),
        ("mem_capacity_kb", "float64"), ("mem_usage_kb", "float64"), ("disk_read_kbps", "float64"),
        ("disk_write_kbps", "float64"), ("net_rx_kbps", "float64"), ("net_tx_kbps", "float64"),
    ]
)


def rows_in(files):
    """Rows as the files hold them, duplicates included."""
    rows = 0
    for file in files:
        if file.endswith(".parquet"):
            rows += pyarrow.parquet.read_metadata(file).num_rows
        else:
            with open(file, "rb") as lines:
                rows += sum(1 for _ in lines) - 1
    return rows


def size_of(files):
    return sum(os.path.getsize(file) for file in files) / (1 << 20)


def measure(platform, folder, what, group, files, prepare, repeat):
    costs, rows = [], rows_in(files)
    for _ in range(repeat):
        repository = measurement.fresh(os.path.join(folder, "repository"))
        measurement.run([platform, "init", "."], repository)
        prepare(repository)
        measurement.run([platform, "apply"], repository)
        cost, _ = measurement.run([platform, "featuregroup", "ingest", group, "--from", *files], repository)
        costs.append(cost)
        measurement.say(f"{what}: {cost.wall:.1f} s, {cost.peak:.0f} MiB")
    cost = measurement.median(costs)
    return [what, f"{rows:,}", f"{size_of(files):,.0f}", f"{cost.wall:.1f}", f"{rows / cost.wall:,.0f}", f"{cost.peak:,.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=1160, help="hosts of the simulated fleet, 30 days each: 8,640 rows a host")
    asked = parser.parse_args()
    os.makedirs(asked.folder, exist_ok=True)

    table = []
    bitbrains = sorted(os.path.realpath(file) for file in glob.glob(os.path.join(BITBRAINS, "vm_metrics_*.parquet")))
    if bitbrains:
        prepare = lambda repository: measurement.write(os.path.join(repository, "feature_groups", "vm_metrics.toml"), VM_METRICS)
        table.append(measure(asked.platform, asked.folder, "Bitbrains, Parquet", "vm_metrics", bitbrains, prepare, asked.repeat))
    else:
        measurement.say("Bitbrains: skipped, there is no ../shared/data here")
    for form in ("csv", "parquet"):
        data = measurement.fresh(os.path.join(asked.folder, "data"))
        measurement.run([asked.platform, "simulate", "fleet", "--out", data, "--hosts", str(asked.hosts), "--format", form])
        files = [os.path.join(data, f"metrics.{form}")]
        name = f"simulated fleet, {'CSV' if form == 'csv' else 'Parquet'}"
        table.append(measure(asked.platform, asked.folder, name, "server_metrics", files, lambda repository: None, asked.repeat))
    print("### Ingest\n")
    measurement.table(["what", "rows", "file, MiB", "seconds", "rows/s", "peak memory, MiB"], table)


if __name__ == "__main__":
    main()

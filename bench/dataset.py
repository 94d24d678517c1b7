"""Seconds and peak memory of `platform dataset create`: dataset.py --platform BINARY --folder DIR [--repeat N] [--hosts N …]"""

import argparse
import os

import measurement

GROUPS = {"server_metrics": "metrics", "hosts": "hosts", "cpu_labels": "labels"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hosts", type=int, nargs="*", default=[60, 600])
    asked = parser.parse_args()
    table = []
    for hosts in asked.hosts:
        repository = measurement.fresh(os.path.join(asked.folder, "repository"))
        platform = lambda *words: measurement.run([asked.platform, *words], repository)
        platform("init", ".")
        platform("simulate", "fleet", "--out", "data", "--hosts", str(hosts), "--format", "parquet")
        platform("apply")
        for group, file in GROUPS.items():
            platform("featuregroup", "ingest", group, "--from", f"data/{file}.parquet")
        costs = []
        for _ in range(asked.repeat):
            cost, _ = platform("dataset", "create", "cpu_fv:v1", "--force")
            costs.append(cost)
            measurement.say(f"{hosts} hosts: {cost.wall:.1f} s, {cost.peak:.0f} MiB")
        _, out = platform("query", "select count(*) as n from cpu_labels", "--csv")
        rows, cost = int(out.split()[-1]), measurement.median(costs)
        table.append([f"{hosts} hosts, 30 days", f"{rows:,}", f"{cost.wall:.1f}", f"{rows / cost.wall:,.0f}", f"{cost.peak:,.0f}"])
    print("### Training datasets\n")
    measurement.table(["what", "rows of the spine", "seconds", "rows/s", "peak memory, MiB"], table)


if __name__ == "__main__":
    main()

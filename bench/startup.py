"""Seconds of one look-up, the whole process: startup.py --platform BINARY --folder DIR [--repeat N] [--versions N]

A registry with one trained model is filled up to so many versions by copying its rows, and asked for the newest, by alias and by version.
"""

import argparse
import os
import sqlite3
import statistics

import measurement

LOOKUPS = ["registry show cpu_forecaster@champion --json", "registry show cpu_forecaster:v{newest} --json", "registry show cpu_forecaster", "registry list"]


def trained(platform, repository):
    run = lambda words: measurement.run([platform, *words.split()], repository)
    run("init .")
    run("simulate fleet --out data --hosts 8 --days 6")
    pipeline = os.path.join(repository, "pipelines", "cpu_forecast.toml")
    with open(pipeline, encoding="utf-8") as file:
        head, rest = file.read().split("\n[gate]")
    measurement.write(pipeline, f"{head}\n[gate]\nmae = {{ max = 100.0 }}\n{rest[rest.index('[card]'):]}")
    run("apply")
    for group, file in (("server_metrics", "metrics"), ("hosts", "hosts"), ("cpu_labels", "labels")):
        run(f"featuregroup ingest {group} --from data/{file}.csv")
    run("train --view cpu_fv:v1")


def fill(registry, versions):
    """Copies the first version, its run, evaluations, gate checks and artefacts, until there are so many versions."""
    with sqlite3.connect(registry) as db:
        # Older SQLite libraries than the platform's own call a missing document invalid JSON.
        db.execute("pragma ignore_check_constraints = on")
        def copy(table, where, **changed):
            columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
            rows = db.execute(f"select {', '.join(map(quoted, columns))} from {table} where {where}").fetchall()
            places = ", ".join("?" * len(columns))
            made = [tuple(changed.get(name, value) for name, value in zip(columns, row)) for row in rows]
            names = ", ".join(map(quoted, columns))
            return db.executemany(f"insert into {table} ({names}) values ({places})", made)

        quoted = lambda name: f'"{name}"'
        version, run = db.execute("select id, run from model_versions where version = 1").fetchone()
        for number in range(2, versions + 1):
            copied_run, copied = run + number, version + number
            copy("runs", f"id = {run}", id=copied_run)
            copy("evaluations", f"run = {run}", run=copied_run, id=None)
            copy("gate_checks", f"run = {run}", run=copied_run)
            copy("model_versions", f"id = {version}", id=copied, version=number, run=copied_run, path=f"models/cpu_forecaster/v{number}")
            copy("artefacts", f"model_version = {version}", model_version=copied)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=3, help="ten times as many look-ups are made")
    parser.add_argument("--versions", type=int, default=10_000)
    asked = parser.parse_args()
    repository = measurement.fresh(os.path.join(asked.folder, "repository"))
    trained(asked.platform, repository)
    fill(os.path.join(repository, ".platform", "registry.db"), asked.versions)
    measurement.run([asked.platform, "registry", "alias", "set", "cpu_forecaster@champion", f"v{asked.versions}"], repository)
    rows = []
    for lookup in LOOKUPS:
        words = lookup.format(newest=asked.versions).split()
        costs = [measurement.run([asked.platform, *words], repository)[0] for _ in range(asked.repeat * 10 + 1)][1:]
        walls = sorted(cost.wall * 1000 for cost in costs)
        rows.append([f"`platform {' '.join(words)}`", f"{statistics.median(walls):.1f}", f"{walls[-1]:.1f}", f"{measurement.median(costs).peak:.0f}"])
    print(f"### Start-up, {asked.versions:,} versions of one model\n")
    measurement.table(["command", "median, ms", "slowest, ms", "peak memory, MiB"], rows)


if __name__ == "__main__":
    main()

"""Training side by side with LightGBM in Python, alternately: train.py --platform BINARY --folder DIR [--repeat N] [--rows N]

The platform's side is the whole product: `platform train` on a training dataset that exists, to a registered model.
"""

import argparse
import os
import sys

import measurement

HERE = os.path.dirname(os.path.abspath(__file__))


def definitions(repository, features, rounds):
    group = 'name = "{}"\nversion = 1\nentity = [{{ name = "id", type = "int64" }}]\nevent_time = "ts"\n'
    column = '\n[[features]]\nname = "{}"\ntype = "float32"\n'
    names = [f"f{index}" for index in range(features)]
    listed = ", ".join(f'"{name}"' for name in names)
    write = lambda path, text: measurement.write(os.path.join(repository, path), text)
    write("platform.toml", "")
    write("feature_groups/inputs.toml", group.format("inputs") + "".join(column.format(name) for name in names))
    write("feature_groups/targets.toml", group.format("targets") + column.format("y"))
    write("feature_views/table_fv.toml", f"""name = "table_fv"
version = 1
[labels]
group = "targets:v1"
columns = ["y"]
[[features]]
group = "inputs:v1"
columns = [{listed}]
[split]
strategy = "time"
validation = 0.2
gap = "auto"
""")
    write("pipelines/table.toml", f"""name = "table"
view = "table_fv:v1"
model = "table"
seed = 42
[train]
learner = "lightgbm"
[train.lightgbm]
objective = "regression"
num_leaves = 63
learning_rate = 0.1
rounds = {rounds}
[evaluate]
metrics = ["mae"]
[gate]
mae = {{ max = 100.0 }}
""")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=100)
    asked = parser.parse_args()

    os.makedirs(asked.folder, exist_ok=True)
    data = os.path.join(asked.folder, f"table_{asked.rows}_{asked.features}.parquet")
    if not os.path.exists(data):
        measurement.run([sys.executable, os.path.join(HERE, "train_data.py"), data, str(asked.rows), str(asked.features)])
    repository = measurement.fresh(os.path.join(asked.folder, "repository"))
    definitions(repository, asked.features, asked.rounds)
    platform = lambda *words: measurement.run([asked.platform, *words], repository)
    platform("apply")
    for group in ("inputs", "targets"):
        cost, _ = platform("featuregroup", "ingest", group, "--from", data)
        measurement.say(f"ingest {group}: {cost.wall:.1f} s, {cost.peak:.0f} MiB")
    cost, _ = platform("dataset", "create", "table_fv:v1")
    measurement.say(f"dataset: {cost.wall:.1f} s, {cost.peak:.0f} MiB")

    peer, ours, fits = [], [], []
    model = os.path.join(asked.folder, "peer.txt")
    for turn in range(asked.repeat):
        cost, out = measurement.run([sys.executable, os.path.join(HERE, "train_peer.py"), data, str(asked.rounds), model])
        peer.append(cost)
        fits.append(measurement.document(out))
        measurement.say(f"{turn + 1}: Python {cost.wall:.1f} s, {cost.peak:.0f} MiB, {fits[-1]}")
        cost, out = platform("train", "--view", "table_fv:v1", "--json")
        ours.append(cost)
        measurement.say(f"{turn + 1}: platform {cost.wall:.1f} s, {cost.peak:.0f} MiB")
    raw = asked.rows * (asked.features + 1) * 4 / (1 << 20)
    rows = []
    for name, costs in (("LightGBM in Python", peer), ("`platform train`", ours)):
        cost = measurement.median(costs)
        rows.append([name, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak:,.0f}", f"{cost.peak - raw:,.0f}"])
    print(f"### Training, {asked.rows:,} rows x {asked.features} columns, {asked.rounds} rounds\n")
    print(f"Medians of {asked.repeat}, alternately. The raw data are {raw:,.0f} MiB.\n")
    measurement.table(["what", "seconds", "CPU seconds", "peak memory, MiB", "above the raw data, MiB"], rows)


if __name__ == "__main__":
    main()

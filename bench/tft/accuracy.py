"""Accuracy beside pytorch-forecasting's and neuralforecast's Temporal Fusion Transformers: the same rows, the same parts, as many windows
learned from, the same network size; quantile loss and MAE on the validation part. Prints the tables of docs/benchmarks.md.

usage: accuracy.py --platform BINARY --data FOLDER [--windows 32000] [--seeds 3] [CASE…]

FOLDER holds `ett/ETTh1.csv` and `bitbrains_rnd/vm_metrics_2013-08.parquet`; the interpreter that runs this has the peers. Every figure of a
transformer is the median over seeds. Observed numbers are scaled by what each window looks back at, as neuralforecast does; pytorch-forecasting
scales by the series. What platform prints of its own baselines comes from the same runs.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import pandas as pd

CONTEXT, HORIZON, HIDDEN, HEADS, BATCH, EPOCHS = 168, 24, 32, 4, 64, 10
# name: frequency in minutes, target, season
CASES = {"etth1": (60, "OT", "1d"), "bitbrains": (5, "cpu_percent", "1d")}
PEERS = ["pytorch_forecasting", "neuralforecast"]


def panel(case, folder):
    """series, ts, the target as `y`, what else is observed as `x1`, …: one row a step, none filled in."""
    minutes, target, _ = CASES[case]
    if case == "etth1":
        rows = pd.read_csv(folder / "ett/ETTh1.csv")
        others = [name for name in rows.columns if name not in ("date", target)]
        rows["series"], rows["ts"] = "transformer", pd.to_datetime(rows["date"], utc=True)
    else:
        rows = pd.read_parquet(folder / "bitbrains_rnd/vm_metrics_2013-08.parquet")
        others = ["mem_usage_kb", "disk_write_kbps", "net_rx_kbps"]
        rows["series"], rows["ts"] = "vm" + rows["vm_id"].astype(str), rows["timestamp"]
    rows["ts"] = rows["ts"].dt.floor(f"{minutes}min").astype("datetime64[us, UTC]")
    rows = rows.drop_duplicates(["series", "ts"], keep="last").sort_values(["series", "ts"])
    named = {target: "y", **{name: f"x{at}" for at, name in enumerate(others, 1)}}
    return rows[["series", "ts", *named]].rename(columns=named).reset_index(drop=True)


def repository(case, rows, folder, windows, seed):
    minutes, _, season = CASES[case]
    frequency = f"{minutes}m"
    others = [name for name in rows.columns if name.startswith("x")]
    feature = lambda name, kind: f'[[features]]\nname = "{name}"\ntype = "{kind}"\n'
    calendar = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]
    files = {
        "feature_groups/panel.toml": 'name = "panel"\nversion = 1\nentity = ["series"]\nevent_time = "ts"\n'
        + feature("name", "utf8")
        + "".join(feature(name, "float64") for name in ["y", *others]),
        "feature_groups/clock.toml": 'name = "clock"\nversion = 1\nentity = ["series"]\nevent_time = "ts"\n[derive]\nfrom = ["panel:v1"]\n'
        + "".join(f'[[features]]\nname = "{name}"\ncalendar = "{name}"\n' for name in calendar),
        "feature_views/fv.toml": f'name = "fv"\nversion = 1\n[forecast]\ngroup = "panel:v1"\ntargets = ["y"]\ncontext = {CONTEXT}\n'
        f'horizon = {HORIZON}\nfrequency = "{frequency}"\nstatic = ["name"]\nknown_future = {json.dumps(calendar)}\n'
        f'[[features]]\ngroup = "panel:v1"\ncolumns = {json.dumps(["name", *others])}\n'
        f'[[features]]\ngroup = "clock:v1"\ncolumns = {json.dumps(calendar)}\nmax_age = "{frequency}"\n'
        '[split]\nstrategy = "time"\nvalidation = 0.15\ntest = 0.15\n',
        "pipelines/p.toml": f'name = "p"\nview = "fv:v1"\nmodel = "m"\nseed = {seed}\n[train]\nlearner = "tft"\n[train.tft]\nscaling = "window"\n'
        f"hidden = {HIDDEN}\nheads = {HEADS}\nbatch_size = {BATCH}\nepochs = {EPOCHS}\nwindows_per_epoch = {windows // EPOCHS}\n"
        f'patience = 0\n[evaluate]\nbaselines = ["last_value", "seasonal_naive({season})", "dlinear"]\n[gate]\n',
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rows.assign(name=rows["series"]).to_parquet(folder / "panel.parquet", index=False)


def ours(binary, case, rows, windows, seed):
    """The validation scores of every subject, and the parts' first and last times."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run = lambda *words: subprocess.run([binary, *words], cwd=folder, check=True, capture_output=True, text=True).stdout
        (folder / "platform.toml").write_text('[storage]\nroot = ".platform"\n[registry]\nurl = "sqlite:.platform/registry.db"\n')
        repository(case, rows, folder, windows, seed)
        run("apply")
        run("featuregroup", "ingest", "panel", "--from", "panel.parquet")
        run("featuregroup", "materialize", "clock")
        run("train", "--view", "fv:v1")
        report = json.loads(run("run", "show", "1", "--json"))["report"]
        manifest = json.loads(run("dataset", "show", "fv:v1", "--json"))
    subjects = {subject["subject"]: subject["all"] for subject in report["forecast"]["validation"]["subjects"]}
    parts = {part["part"]: (part["first_event_time"], part["last_event_time"]) for part in manifest["parts"]}
    return subjects, parts


def theirs(peer, path, case, parts, windows, seed):
    program = pathlib.Path(__file__).with_name("accuracy_peer.py")
    minutes = CASES[case][0]
    times = [parts["train"][1], *parts["validation"]]
    numbers = [minutes, CONTEXT, HORIZON, HIDDEN, HEADS, BATCH, windows, EPOCHS, seed]
    environment = dict(os.environ, PYTHONWARNINGS="ignore")
    said = subprocess.run(
        [sys.executable, "-B", program, peer, path, *times, *map(str, numbers)],
        check=True, capture_output=True, text=True, env=environment,
    ).stdout
    return json.loads(said.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--platform", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--windows", type=int, default=32_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    for case in options.cases or CASES:
        rows = panel(case, options.data)
        found = {}
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "panel.parquet"
            rows.to_parquet(path, index=False)
            for seed in range(1, options.seeds + 1):
                subjects, parts = ours(options.platform, case, rows, options.windows, seed)
                for subject, scores in subjects.items():
                    found.setdefault("platform's TFT" if subject == "model" else subject, []).append(scores)
                for peer in PEERS:
                    found.setdefault(f"{peer}'s TFT", []).append(theirs(peer, path, case, parts, options.windows, seed))
        print(f"\n{case}: {rows['series'].nunique()} series, {len(rows)} rows, {options.windows} windows learned from\n")
        print("| who | quantile loss | MAE | MASE | rows |\n|---|---|---|---|---|")
        middle = lambda lines, what, digits: (
            f"{statistics.median(line[what] for line in lines):.{digits}f}" if lines[0].get(what) is not None else ""
        )
        for who, lines in sorted(found.items(), key=lambda of: statistics.median(line["weighted_quantile_loss"] for line in of[1])):
            print(f"| {who} | {middle(lines, 'weighted_quantile_loss', 4)} | {middle(lines, 'mae', 3)} | {middle(lines, 'mase', 3)} | {lines[0]['rows']} |")
        sys.stdout.flush()


main()

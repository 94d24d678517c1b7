"""Measures the Temporal Fusion Transformer beside pytorch-forecasting's, one after the other, and prints the table of docs/benchmarks.md.

usage: run.py --training PROGRAM [--rounds 3] [--steps 23] [--peer-steps 13] [CASE…]

PROGRAM is the benchmark `training` of the crate `tft`; the interpreter that runs this has the peer. Every figure is the median over rounds,
in which the two take turns.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# name: context, horizon, hidden size, heads, targets
CASES = {
    "168_24_h32": (168, 24, 32, 4, 1),
    "288_96_h32": (288, 96, 32, 8, 1),
    "288_96_h32_t4": (288, 96, 32, 8, 4),
    "168_24_h160": (168, 24, 160, 4, 1),
    "one_window": (288, 96, 32, 8, 4),
}


def measure(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line["case"]: line for line in (json.loads(line) for line in lines if line.startswith("{"))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--training", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=23)
    parser.add_argument("--peer-steps", type=int, default=13)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    peer = str(pathlib.Path(__file__).with_name("peer_pytorch_forecasting.py"))
    print("| work | pytorch-forecasting | platform | times |\n|---|---|---|---|", flush=True)
    for name in options.cases or CASES:
        ours, theirs = [], []
        for _ in range(options.rounds):
            steps = 0 if name == "one_window" else options.peer_steps
            theirs.append(measure([sys.executable, "-B", peer, name, *map(str, CASES[name]), str(steps)])[name])
            ours.append(measure([options.training, name, str(options.steps)])[name])
        of = lambda found, what: statistics.median(line[what] for line in found)
        show = lambda found: (
            f"{of(found, 'milliseconds'):.1f} ms" if name == "one_window" else f"{of(found, 'windows_a_second'):.0f} windows/s, "
            f"{of(found, 'peak_megabytes'):.0f} MB"
        )
        ratio = of(ours, "windows_a_second") / of(theirs, "windows_a_second")
        print(f"| {name} | {show(theirs)} | {show(ours)} | {ratio:.1f} |", flush=True)


main()

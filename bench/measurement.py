"""What a command costs: wall time, CPU time and peak memory of the process and its children, from the kernel's own account."""

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass
class Cost:
    """Seconds, seconds, and MiB."""

    wall: float
    cpu: float
    peak: float


def run(command, folder="."):
    """Runs a command; its cost and what it printed on stdout."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        printed = out.read()
        if process.returncode != 0:
            sys.exit(f"`{' '.join(map(str, command))}` ended with {process.returncode}\n{printed[-2000:]}\n{errors.read()[-4000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), printed


def median(costs):
    """The median of each column on its own."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak")))


def table(head, rows):
    """Prints a Markdown table, numbers to the right."""
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join("---" if place == 0 else "---:" for place in range(len(head))) + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def write(path, text):
    """Writes a definition."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def document(text):
    """The JSON document that a command printed."""
    return json.loads(text)


def say(*words):
    """Talk goes to stderr; stdout is the tables."""
    print(*words, file=sys.stderr, flush=True)

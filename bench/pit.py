"""Point-in-time joins side by side with DuckDB, Polars and Feast: pit.py --platform BINARY --folder DIR [--repeat N] [--scale N] [CASE …]

Ours is all of `platform dataset create`, from the feature groups to the committed dataset; the peers go from Parquet to Parquet.
"""

import argparse
import dataclasses
import functools
import importlib.metadata
import json
import os
import shutil
import sys

import measurement

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pit")
MILLION = 1_000_000
ENTITIES = 100_000


@dataclasses.dataclass
class Data:
    """Tables that a repository is made of."""

    spine: int
    groups: int
    rows: int
    features: int
    keys: str = "integers"

    def names(self):
        return ["entity_id", "part_id"] if self.keys == "composite" else ["entity_id"]

    def columns(self):
        return [f"g{group}_f{feature}" for group in range(self.groups) for feature in range(self.features)]


@dataclasses.dataclass
class Case:
    """What is joined: a data set, which of its spines, and how."""

    data: str
    spine: str = "spine"
    max_age: str = ""
    memory: str = ""
    peers: tuple = ("duckdb", "polars")


DATA = {
    "full": Data(2 * MILLION, 3, 10 * MILLION, 5),
    "skew": Data(2 * MILLION, 3, 10 * MILLION, 5, "zipf"),
    "strings": Data(2 * MILLION, 3, 10 * MILLION, 5, "strings"),
    "composite": Data(2 * MILLION, 3, 10 * MILLION, 5, "composite"),
    "wide": Data(200_000, 40, 200_000, 25),
    "big": Data(10 * MILLION, 3, 10 * MILLION, 5),
    "feast": Data(40_000, 1, 100_000, 5),
    "growth": Data(8 * MILLION, 3, 40 * MILLION, 5),
}
CASES = {
    "full": Case("full"),
    "recent": Case("full", "recent", max_age="1h"),
    "few": Case("full", "few"),
    "skew": Case("skew"),
    "strings": Case("strings"),
    "composite": Case("composite"),
    "wide": Case("wide"),
    "big": Case("big"),
    "tight": Case("full", memory="512MB", peers=("duckdb",)),
    "feast": Case("feast", peers=("feast",)),
    "growth": Case("growth", peers=()),
}
SPINES = {"full": ("spine", "recent", "few")}
# How many times the fastest peer's speed a case must have, and should: case → (must, goal).
TARGETS = {
    "full": (1.3, 1.7),
    "recent": (4, 10),
    "few": (3, 8),
    "skew": (1.3, 2),
    "strings": (1.3, 2),
    "composite": (1.3, 2),
    "wide": (2, 4),
    "tight": (1, 2),
    "feast": (50, 100),
}
CHECK_MEMORY = "4GB"


def definitions(repository, name, data):
    write = lambda path, text: measurement.write(os.path.join(repository, path), text)
    kind = "utf8" if data.keys == "strings" else "int64"
    entity = ", ".join(f'{{ name = "{key}", type = "{kind}" }}' for key in data.names())
    head = f'version = 1\nentity = [{entity}]\nevent_time = "event_time"\n'
    column = '\n[[features]]\nname = "{}"\ntype = "float64"\n'
    write("platform.toml", "")
    for group in range(data.groups):
        listed = "".join(column.format(f"g{group}_f{feature}") for feature in range(data.features))
        write(f"feature_groups/group{group}.toml", f'name = "group{group}"\n{head}{listed}')
    for spine in SPINES.get(name, ("spine",)):
        write(f"feature_groups/{spine}.toml", f'name = "{spine}"\n{head}{column.format("label")}')
    for case, asked in CASES.items():
        if asked.data == name:
            view = f'name = "{case}_fv"\nversion = 1\n\n[labels]\ngroup = "{asked.spine}:v1"\ncolumns = ["label"]\n'
            for group in range(data.groups):
                listed = ", ".join(f'"g{group}_f{feature}"' for feature in range(data.features))
                view += f'\n[[features]]\ngroup = "group{group}:v1"\ncolumns = [{listed}]\n'
                view += f'max_age = "{asked.max_age}"\n' if asked.max_age else ""
            write(f"feature_views/{case}_fv.toml", view)


def prepare(platform, folder, name, scale):
    """Tables and a repository that holds them, made once: a stamp says what from."""
    data, here = DATA[name], os.path.join(folder, name)
    sizes = [ENTITIES, data.spine // scale, data.groups, data.rows // scale, data.features, data.keys]
    wanted, stamp = json.dumps(sizes), os.path.join(here, "stamp.json")
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return here
    tables, repository = os.path.join(measurement.fresh(here), "tables"), os.path.join(here, "repository")
    cost, _ = measurement.run([sys.executable, "-B", os.path.join(HERE, "generate.py"), tables, *map(str, sizes)])
    measurement.say(f"{name}: tables made in {cost.wall:.1f} s")
    for spine in SPINES.get(name, ("spine",))[1:]:
        measurement.run([sys.executable, "-B", os.path.join(HERE, "narrow.py"), f"{tables}/spine.parquet", f"{tables}/{spine}.parquet", spine])
    definitions(repository, name, data)
    measurement.run([platform, "apply"], repository)
    for group in [*SPINES.get(name, ("spine",)), *(f"group{number}" for number in range(data.groups))]:
        cost, _ = measurement.run([platform, "featuregroup", "ingest", group, "--from", f"{tables}/{group}.parquet"], repository)
        measurement.say(f"{name}: ingest {group} {cost.wall:.1f} s, {cost.peak:.0f} MiB")
    if not any(case.peers for case in CASES.values() if case.data == name):
        shutil.rmtree(tables)  # nobody reads these again, and they are large
    measurement.write(stamp, wanted)
    return here


def floor(platform, repository, case):
    """Seconds of our own scan and write without a join; None while the binary has no way to measure it."""
    return None


def ours(platform, here, name):
    """One dataset made, and where it is; earlier ones are removed, outside the timing."""
    repository = os.path.join(here, "repository")
    datasets = os.path.join(repository, ".platform", "datasets", f"{name}_fv")
    shutil.rmtree(datasets, ignore_errors=True)
    limits = ["--memory", CASES[name].memory] if CASES[name].memory else []
    cost, _ = measurement.run([platform, "dataset", "create", f"{name}_fv:v1", "--force", *limits], repository)
    return cost, datasets


@functools.cache
def feast_python():
    """Feast's own virtual environment: its pins clash with the others'."""
    return measurement.run([os.path.join(HERE, "..", "..", "scripts", "pit-venv"), "feast"])[1].strip()


def feast_version():
    script = "import importlib.metadata; print(importlib.metadata.version('feast'))"
    return measurement.run([feast_python(), "-c", script])[1].strip()


def theirs(peer, here, name, out):
    case, data = CASES[name], DATA[CASES[name].data]
    age = case.max_age.replace("h", " hours") if peer == "duckdb" else case.max_age
    tables = os.path.join(here, "tables")
    words = [f"{tables}/{case.spine}.parquet", tables, str(data.groups), out, ",".join(data.names()), age, case.memory]
    python = feast_python() if peer == "feast" else sys.executable
    return measurement.run([python, "-B", os.path.join(HERE, f"peer_{peer}.py"), *words])[0]


def check(name, datasets, out):
    """Compares our rows with a peer's; ties on entity and time may fall either way, so a few differing rows are said, not hidden."""
    data = DATA[CASES[name].data]
    words = [f"{datasets}/**/*.parquet", out, ",".join(data.names()), ",".join(["label", *data.columns()]), CHECK_MEMORY]
    return measurement.document(measurement.run([sys.executable, "-B", os.path.join(HERE, "check.py"), *words])[1])


def supported(platform, name):
    """Whether the binary knows the options that a case needs."""
    _, out = measurement.run([platform, "dataset", "create", "--help"])
    return not CASES[name].memory or "--memory" in out


def measure(asked, name):
    case = CASES[name]
    here = prepare(asked.platform, asked.folder, case.data, asked.scale)
    costs, out = {who: [] for who in ("platform", *case.peers)}, os.path.join(here, "out_{}.parquet")
    checks, datasets = {}, None
    for turn in range(asked.repeat):
        cost, datasets = ours(asked.platform, here, name)
        costs["platform"].append(cost)
        for peer in case.peers:
            costs[peer].append(theirs(peer, here, name, out.format(peer)))
            if turn == 0:
                checks[peer] = check(name, datasets, out.format(peer))
            os.remove(out.format(peer))
        measurement.say(f"{name} {turn + 1}: " + ", ".join(f"{who} {turns[-1].wall:.2f} s {turns[-1].peak:.0f} MiB" for who, turns in costs.items()))
    shutil.rmtree(datasets, ignore_errors=True)
    for peer, found in checks.items():
        measurement.say(f"{name}: against {peer}: {found}")
    return {"costs": costs, "checks": checks, "floor": floor(asked.platform, os.path.join(here, "repository"), case)}


def lines(name, found, full, rows):
    middle = {who: measurement.median(turns) for who, turns in found["costs"].items()}
    fastest = min((cost.wall for who, cost in middle.items() if who != "platform"), default=None)
    targets = " / ".join(map(str, TARGETS.get(name, ("", ""))))
    for who, cost in middle.items():
        ratio = f"{fastest / cost.wall:.2f}" if fastest else ""
        if name == "growth" and full:
            ratio = f"{cost.wall / full:.2f} x the time of `full`"
        above = f"{cost.wall / found['floor']:.2f}" if found["floor"] and who == "platform" else ""
        alike = "" if who == "platform" else str(found["checks"][who]["differ"])
        yield [f"{name}, {who}", f"{rows:,}", f"{cost.wall:.2f}", f"{rows / cost.wall:,.0f}", f"{cost.peak * 1.048576:,.0f}", ratio, above, alike,
               targets if who == "platform" else ""]


def spine_rows(asked, name):
    import pyarrow.parquet

    case = CASES[name]
    file = os.path.join(asked.folder, case.data, "tables", f"{case.spine}.parquet")
    return pyarrow.parquet.read_metadata(file).num_rows if os.path.exists(file) else DATA[case.data].spine // asked.scale


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--prepare", action="store_true", help="only make the tables and repositories")
    parser.add_argument("cases", nargs="*")
    asked = parser.parse_args()
    unknown = set(asked.cases) - set(CASES)
    if unknown:
        sys.exit(f"error: no case {', '.join(sorted(unknown))}\nhint: {', '.join(CASES)}")
    table, raw, full = [], {}, None
    for name in asked.cases or CASES:
        if asked.prepare:
            prepare(asked.platform, asked.folder, CASES[name].data, asked.scale)
            continue
        if not supported(asked.platform, name):
            measurement.say(f"{name}: skipped, this binary has no --memory")
            continue
        raw[name] = measure(asked, name)
        full = measurement.median(raw[name]["costs"]["platform"]).wall if name == "full" else full
        table += lines(name, raw[name], full, spine_rows(asked, name))
        measurement.write(os.path.join(asked.folder, "results.json"), json.dumps(raw, default=dataclasses.asdict, indent=1))
    if asked.prepare:
        return
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("duckdb", "polars", "pyarrow"))
    versions += f", feast {feast_version()}" if "feast" in raw else ""
    print(f"### Point-in-time joins\n\n{versions}; medians of {asked.repeat}, alternately; all row counts divided by {asked.scale}.\n")
    head = ["case", "rows of the spine", "seconds", "rows/s", "peak memory, MB", "fastest peer's time to this", "time to the floor", "rows that differ", "must / goal"]
    measurement.table(head, table)


if __name__ == "__main__":
    main()

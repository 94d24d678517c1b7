"""Point-in-time joins side by side with DuckDB, Polars and Feast: pit.py --platform BINARY --folder DIR [--repeat N] [--scale N] [CASE …]

Ours is all of `platform dataset create`, from the feature groups to the committed dataset; the peers go from Parquet to Parquet.
"""

import argparse
import dataclasses
import functools
import glob
import json
import os
import re
import statistics
import sys

import measurement
from pit_cases import CASES, TABLES

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pit")
VENV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts", "pit-venv")
FEW = 1_000
CHECK_MEMORY = "4GB"


def script(name, *words, python=sys.executable):
    return measurement.run([python, "-B", os.path.join(HERE, f"{name}.py"), *map(str, words)])


def stamped(stamp, wanted):
    """Whether a folder was made from these words, to its end."""
    if not os.path.exists(stamp):
        return False
    with open(stamp, encoding="utf-8") as file:
        return file.read() == wanted


def make_tables(here, data, scale):
    """The Parquet files, made once; what they were made from."""
    sizes = [data.entities, data.spine, data.groups, data.rows, data.features, data.keys]
    wanted, stamp, out = json.dumps([*sizes, data.narrow]), os.path.join(here, "tables.json"), os.path.join(here, "tables")
    if not stamped(stamp, wanted):
        measurement.fresh(here)
        cost, _ = script("generate", out, *sizes)
        for which in data.narrow:
            script("narrow", f"{out}/spine.parquet", f"{out}/{which}.parquet", which, max(1, FEW // scale))
        measurement.write(stamp, wanted)
        measurement.say(f"{os.path.basename(here)}: tables made in {cost.wall:.1f} s")
    return wanted


def group_definition(data, name, columns, mode=""):
    # By Zipf's law an entity has several rows of one time, by chance: all of them are rows.
    mode = mode or ("append" if data.keys == "zipf" else "upsert")
    kind = "utf8" if data.keys == "strings" else "int64"
    entity = ", ".join(f'{{ name = "{key}", type = "{kind}" }}' for key in data.names())
    head = f'name = "{name}"\nversion = 1\nentity = [{entity}]\nevent_time = "event_time"\nmode = "{mode}"\n'
    return head + "".join(f'\n[[features]]\nname = "{column}"\ntype = "float64"\n' for column in columns)


def view_definition(data, case):
    view = f'name = "{case.view()}"\nversion = 1\n\n[labels]\ngroup = "{case.spine}:v1"\ncolumns = ["label"]\n'
    for group in range(data.groups):
        listed = ", ".join(f'"{column}"' for column in data.columns(group))
        view += f'\n[[features]]\ngroup = "group{group}:v1"\ncolumns = [{listed}]\n'
        view += f'max_age = "{case.max_age}"\n' if case.max_age else ""
    return view


def make_repository(platform, here, name, data, made_from):
    """A repository with the tables in it, made once. Loading is not what is measured, and is said all the same."""
    repository, stamp = os.path.join(here, "repository"), os.path.join(here, "repository.json")
    views = {case.view(): view_definition(data, case) for case in CASES.values() if case.tables == name}
    wanted = made_from + json.dumps(views)
    if stamped(stamp, wanted):
        return
    write = lambda path, text: measurement.write(os.path.join(repository, path), text)
    measurement.fresh(repository)
    write("platform.toml", "")
    for spine in data.spines():
        write(f"feature_groups/{spine}.toml", group_definition(data, spine, ["label"]))
    for group in range(data.groups):
        write(f"feature_groups/group{group}.toml", group_definition(data, f"group{group}", data.columns(group)))
    for view, text in views.items():
        write(f"feature_views/{view}.toml", text)
    measurement.run([platform, "apply"], repository)
    for group in [*data.spines(), *(f"group{number}" for number in range(data.groups))]:
        cost, _ = measurement.run([platform, "featuregroup", "ingest", group, "--from", f"{here}/tables/{group}.parquet"], repository)
        measurement.say(f"{name}: ingest {group} {cost.wall:.1f} s, {cost.peak:.0f} MiB")
    measurement.write(stamp, wanted)


def ours(platform, here, case):
    """Makes one dataset; the Parquet of earlier ones is removed before, outside the timing."""
    remove(dataset_files(here, case))
    limits = ["--memory", case.memory] if case.memory else []
    words = ["dataset", "create", f"{case.view()}:v1", "--force", *limits]
    return measurement.run([platform, *words], os.path.join(here, "repository"))[0]


def remove(files):
    for file in files:
        os.remove(file)


def dataset_files(here, case):
    return glob.glob(os.path.join(here, "repository", ".platform", "datasets", case.view(), "**", "*.parquet"), recursive=True)


@functools.cache
def feast_python():
    """Feast's own virtual environment: its pins clash with the others'."""
    return measurement.run([VENV, "feast"])[1].strip()


def output(here, peer):
    return os.path.join(here, f"out_{peer}.parquet")


def theirs(peer, here, data, case, memory):
    age = case.max_age.replace("h", " hours") if peer == "duckdb" else case.max_age
    words = [f"{here}/tables/{case.spine}.parquet", f"{here}/tables", data.groups, output(here, peer), ",".join(data.names()), age, memory]
    return script(f"peer_{peer}", *words, python=feast_python() if peer == "feast" else sys.executable)[0]


def attempt(action, *words):
    """What came out, or the message of the command that failed: a peer that cannot do a case must not end the others."""
    try:
        return action(*words), None
    except SystemExit as ended:
        return None, str(ended)


def floor(asked, here, data, case):
    """Seconds of reading all that the join needs and writing all that it gives, without joining: no join of ours can be faster."""
    files = glob.glob(os.path.join(here, "repository", ".platform", "feature_groups", "*", "v1", "*.parquet"))
    files = [file for file in files if os.sep + "group" in file or f"{os.sep}{case.spine}{os.sep}" in file]
    features = [column for group in range(data.groups) for column in data.columns(group)]
    columns = [*data.names(), "event_time", "label", *features]
    scans = [measurement.document(measurement.run([asked.scan, ",".join(columns), *files])[1])["seconds"] for _ in range(asked.repeat)]
    repository = measurement.fresh(os.path.join(here, "floor"))
    write = lambda path, text: measurement.write(os.path.join(repository, path), text)
    run = lambda *words: measurement.run([asked.platform, *words], repository)[1]
    listed = ", ".join(f'"{column}"' for column in ["label", *features])
    write("platform.toml", "")
    write("feature_groups/joined.toml", group_definition(data, "joined", ["label", *features], "append"))
    # A view has to join something: a group without rows costs next to nothing.
    write("feature_groups/nothing.toml", group_definition(data, "nothing", ["nothing"]))
    joined = '[[features]]\ngroup = "nothing:v1"\ncolumns = ["nothing"]\n'
    write("feature_views/joined.toml", f'name = "joined"\nversion = 1\n\n[labels]\ngroup = "joined:v1"\ncolumns = [{listed}]\n\n{joined}')
    run("apply")
    run("featuregroup", "ingest", "joined", "--from", *[file for file in dataset_files(here, case) if f"{os.sep}train{os.sep}" in file])
    writes = [float(re.search(r"joining and writing ([0-9.]+) s", run("dataset", "create", "joined:v1", "--force", "--explain"))[1])
              for _ in range(asked.repeat)]
    measurement.fresh(repository)
    return statistics.median(scans) + statistics.median(writes)


def turns(platform, here, data, case, peers, repeat):
    """Everyone in turn, again and again; who failed once is not asked again."""
    costs, failed = {who: [] for who in ("platform", *peers)}, {}
    for turn in range(repeat):
        for who in [who for who in costs if who not in failed]:
            if who == "platform":
                cost, why = attempt(ours, platform, here, case)
            else:
                cost, why = attempt(theirs, who, here, data, case, case.memory)
            if why:
                failed[who] = why
                remove(glob.glob(output(here, who)))
                measurement.say(f"  {who} failed: {why}")
            else:
                costs[who].append(cost)
        said = ", ".join(f"{who} {kept[-1].wall:.2f} s {kept[-1].peak:.0f} MiB" for who, kept in costs.items() if kept and who not in failed)
        measurement.say(f"  {turn + 1}: {said}")
    return {who: kept for who, kept in costs.items() if who not in failed}, failed


def check(here, data, case, peer):
    """Our last output beside a peer's, DuckDB's made now where it was not: how many rows each has, and how many differ."""
    if peer == "duckdb" and not os.path.exists(output(here, peer)):
        theirs(peer, here, data, case, CHECK_MEMORY)
    trains = os.path.join(here, "repository", ".platform", "datasets", case.view(), "**", "train", "*.parquet")
    columns = ["label", *(column for group in range(data.groups) for column in data.columns(group))]
    words = [trains, output(here, peer), f"{here}/tables", data.groups, ",".join(data.names()), ",".join(columns), CHECK_MEMORY]
    return measurement.document(script("check", *words)[1])


def checks(here, data, case, costs):
    """What came of comparing with everyone who has an output, and with DuckDB in any case; nothing where we have none."""
    found = {}
    for peer in dict.fromkeys(["duckdb", *costs]) if "platform" in costs else []:
        if peer != "platform":
            found[peer], why = attempt(check, here, data, case, peer)
            measurement.say(f"  beside {peer}: {why or found[peer]}")
    return found


def clean(here, case):
    remove(dataset_files(here, case) + glob.glob(output(here, "*")))


def available(peers):
    """The peers that can be had here; Feast may not be installable."""
    if "feast" in peers and attempt(feast_python)[1]:
        measurement.say("  feast: skipped, scripts/pit-venv cannot install it here")
        return tuple(peer for peer in peers if peer != "feast")
    return peers


def spine_rows(here, case):
    code = f"import duckdb; print(duckdb.sql(\"select count(*) from '{here}/tables/{case.spine}.parquet'\").fetchall()[0][0])"
    return int(measurement.run([sys.executable, "-c", code])[1])


def judged(case, medians, rows, full):
    """What was asked of us and what came, in words."""
    own, peers = medians["platform"].wall, [cost.wall for who, cost in medians.items() if who != "platform"]
    if case.measure == "growth":
        if not full:
            return "run together with `full` for the growth"
        return f"{own / full:.2f} times the time of `full`: must {'met' if own / full <= case.must else 'missed'} (at most {case.must})"
    if case.measure == "ratio" and not (case.must and peers):
        return ""
    value, shown = (rows / own, "{:,.0f} rows/s") if case.measure == "rows" else (min(peers) / own, "{:.2f}")
    verdict = "goal met" if value >= case.goal else "must met, goal missed" if value >= case.must else "must missed"
    number = "{:,.0f}" if case.measure == "rows" else "{:g}"
    return f"{shown.format(value)}: {verdict} (must {number.format(case.must)}, goal {number.format(case.goal)})"


def equal(found):
    return found is not None and not found["differing"] and found["ours"] == found["other"]


def checked(peer, found):
    """The result of a comparison, in words."""
    if found is None:
        return f"**could not be compared with {peer}**"
    if not equal(found):
        return f"**differs from {peer}: {found['ours']:,} rows and {found['other']:,}, {found['differing']:,} unlike**"
    tied = f", but for {found['tied']:,} at ties" if found["tied"] else ""
    return f"every row equals that of {peer}{tied}"


def show(name, case, medians, failed, rows, verdict, found, floored):
    print(f"#### `{name}`: {case.what}\n")
    own, table = medians.get("platform"), []
    for who, cost in medians.items():
        ratio = f"{cost.wall / own.wall:.2f}" if own else ""
        judgement = verdict if who == "platform" else ""
        table.append([who, f"{cost.wall:.2f}", f"{rows / cost.wall:,.0f}", f"{cost.peak * 1.048576:,.0f}", ratio, judgement])
    table += [[who, "failed", "", "", "", ""] for who in failed]
    measurement.table(["contender", "seconds", "rows of the spine/s", "peak memory, MB", "time / ours", "asked"], table)
    said = "; ".join(checked(peer, one) for peer, one in found.items()) or "**nothing to compare**"
    lowest = f"Floor: {floored:.2f} s; ours is {own.wall / floored:.2f} times that. " if floored and own else ""
    print(f"{rows:,} rows of the spine; {said}. {lowest}\n", flush=True)


def measure(asked, name, full):
    """One case; our median seconds, and whether everything went well."""
    case = CASES[name]
    data, here = prepare(asked, case.tables)
    measurement.say(f"{name}: {case.what}")
    clean(here, case)
    costs, failed = turns(asked.platform, here, data, case, available(case.peers), asked.repeat)
    found = checks(here, data, case, costs)
    floored, why = attempt(floor, asked, here, data, case) if asked.scan and "platform" in costs else (None, None)
    if why:
        measurement.say(f"  no floor: {why}")
    clean(here, case)
    medians, rows = {who: measurement.median(kept) for who, kept in costs.items()}, spine_rows(here, case)
    verdict = judged(case, medians, rows, full) if "platform" in medians else ""
    show(name, case, medians, failed, rows, verdict, found, floored)
    raw = {"case": dataclasses.asdict(case), "tables": dataclasses.asdict(data), "machine": asked.machine, "versions": versions(),
           "spine_rows": rows, "costs": costs, "failed": failed, "checks": found, "verdict": verdict, "floor": floored}
    measurement.write(os.path.join(asked.folder, "results", f"{name}.json"), json.dumps(raw, default=dataclasses.asdict, indent=1))
    return medians["platform"].wall if "platform" in medians else None, bool(found) and all(map(equal, found.values()))


def prepare(asked, name):
    data, here = TABLES[name].scaled(asked.scale), os.path.join(asked.folder, name)
    made_from = make_tables(here, data, asked.scale)
    if asked.only != "tables":
        make_repository(asked.platform, here, name, data, made_from)
    return data, here


@functools.cache
def versions():
    code = "import importlib.metadata as m, sys; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    peers = measurement.run([sys.executable, "-c", code, "duckdb", "polars", "pyarrow", "numpy"])[1].strip()
    python = attempt(feast_python)[0]
    feast = measurement.run([python, "-c", code, "feast", "duckdb"])[1].strip().replace(", ", " with ") if python else "no feast"
    return f"{peers}; {feast}"


def supported(platform, name):
    """Whether the binary knows the options that a case needs."""
    return not CASES[name].memory or "--memory" in measurement.run([platform, "dataset", "create", "--help"])[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", required=True)
    parser.add_argument("--scan", help="the benchmark `scan`, for the floor")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--machine", default="")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--only", choices=["tables", "repositories"], help="only make the tables, or those and the repositories")
    parser.add_argument("cases", nargs="*")
    asked = parser.parse_args()
    unknown = set(asked.cases) - set(CASES)
    if unknown:
        sys.exit(f"error: no case {', '.join(sorted(unknown))}\nhint: {', '.join(CASES)}")
    cases = asked.cases or list(CASES)
    if asked.only:
        for name in dict.fromkeys(CASES[case].tables for case in cases):
            prepare(asked, name)
        return
    print(f"### Point-in-time join\n\n{asked.machine}\n\n{versions()}; medians of {asked.repeat}, alternately; counts divided by {asked.scale}.\n")
    full, wrong = None, []
    for name in cases:
        if not supported(asked.platform, name):
            measurement.say(f"{name}: skipped, this binary has no `dataset create --memory`")
            continue
        seconds, well = measure(asked, name, full)
        full = seconds if name == "full" else full
        wrong += [] if well else [name]
    if wrong:
        sys.exit(f"error: not shown to be right: {', '.join(wrong)}")


if __name__ == "__main__":
    main()

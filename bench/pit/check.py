"""Whether two outputs hold the same rows, in any order: check.py OURS OTHER GROUPS_DIR GROUPS KEYS COLUMNS MEMORY   (prints JSON)

OURS and OTHER may be globs. Rows are compared as multisets; nulls equal nulls. A row counts as `tied`, not as `differing`, where a
group has several rows for its entity at the very time that it was matched with: either is right then.
"""

import json
import sys
import tempfile

import duckdb

ours, other, folder, groups, names, columns, memory = sys.argv[1:]
names = names.split(",")
listed = ", ".join([*names, "event_time", *columns.split(",")])


def compare(db):
    read = lambda files: f"select count(*), sum(hash({listed})::hugeint), bit_xor(hash({listed})) from read_parquet('{files}')"
    counted = [db.execute(read(files)).fetchone() for files in (ours, other)]
    found = {"ours": counted[0][0], "other": counted[1][0], "differing": 0, "tied": 0}
    if counted[0] != counted[1]:
        rows = lambda files: f"select {listed} from read_parquet('{files}')"
        db.execute(f"create temp table differing as ({rows(ours)} except all {rows(other)}) union all ({rows(other)} except all {rows(ours)})")
        found["tied"] = tied(db)
        found["differing"] = db.execute("select count(*) from differing").fetchone()[0] - found["tied"]
    return found


def tied(db):
    """How many of the differing rows met several rows of a group at one time."""
    keys = ", ".join(f"d.{name}" for name in names)
    db.execute(f"create temp table ties ({', '.join(names)}, asked) as select {keys}, event_time from differing d limit 0")
    for group in range(int(groups)):
        same = " and ".join(f"d.{name} = g.{name}" for name in names)
        db.execute(f"""insert into ties
            with met as (select {keys}, d.event_time as asked, g.event_time as found, count(*) as times
                         from (select distinct {', '.join(names)}, event_time from differing) d
                         join '{folder}/group{group}.parquet' g on {same} and g.event_time <= d.event_time group by all)
            select {', '.join(names)}, asked from met group by all having arg_max(times, found) > 1""")
    same = " and ".join(f"d.{name} = t.{name}" for name in names)
    return db.execute(f"select count(*) from differing d semi join ties t on {same} and d.event_time = t.asked").fetchone()[0]


with tempfile.TemporaryDirectory(dir=folder) as spilled:
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order=false")
    connection.execute("set TimeZone='UTC'")
    connection.execute(f"set memory_limit='{memory}'")
    connection.execute(f"set temp_directory='{spilled}'")
    print(json.dumps(compare(connection)))
    connection.close()

"""DuckDB's ASOF LEFT JOIN over every group, Parquet to Parquet: peer_duckdb.py SPINE GROUPS_DIR GROUPS OUT KEYS [MAX_AGE [MEMORY]]

KEYS are column names with commas between; MAX_AGE is an interval such as `1 hour`, or empty.
"""

import os
import sys
import tempfile

import duckdb

spine, folder, groups, out, names = sys.argv[1:6]
max_age, memory = (sys.argv[6:] + ["", ""])[:2]
names = names.split(",")
with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as spilled:
    db = duckdb.connect()
    db.execute(f"set threads={os.cpu_count()}")
    db.execute("set TimeZone='UTC'")
    if memory:
        db.execute(f"set memory_limit='{memory}'")
        db.execute("set preserve_insertion_order=false")
        db.execute(f"set temp_directory='{spilled}'")
    select, joins = "select s.*", ""
    for group in range(int(groups)):
        file = f"{folder}/group{group}.parquet"
        columns = [row[0] for row in db.execute(f"describe select * from '{file}'").fetchall()]
        for column in columns[len(names) + 1:]:
            value = f"g{group}.{column}"
            if max_age:
                value = f"case when s.event_time - g{group}.found <= interval '{max_age}' then {value} end as {column}"
            select += f", {value}"
        same = " and ".join(f"s.{name} = g{group}.{name}" for name in names)
        joins += f" asof left join (select *, event_time as found from '{file}') g{group} on {same} and s.event_time >= g{group}.event_time"
    db.execute(f"copy ({select} from '{spine}' s{joins}) to '{out}' (format parquet, compression zstd)")
    db.close()

"""Whether two outputs hold the same rows, in any order: check.py OURS OTHER KEYS COLUMNS MEMORY   (prints how many rows differ, as JSON)

OURS and OTHER may be globs. Rows are compared as multisets; nulls equal nulls.
"""

import json
import sys

import duckdb

ours, other, names, columns, memory = sys.argv[1:]
listed = ", ".join([*names.split(","), "event_time", *columns.split(",")])
db = duckdb.connect()
db.execute("set TimeZone='UTC'")
db.execute(f"set memory_limit='{memory}'")
read = lambda files: f"select count(*) as n, sum(hash({listed})::hugeint) as h, bit_xor(hash({listed})) as x from read_parquet('{files}')"
counted = [db.execute(read(files)).fetchone() for files in (ours, other)]
alike = counted[0] == counted[1]
found = {"ours": counted[0][0], "other": counted[1][0], "alike": alike, "differ": 0}
if not alike:
    rows = lambda files: f"select {listed} from read_parquet('{files}')"
    found["differ"] = db.execute(f"select count(*) from (({rows(ours)}) except all ({rows(other)}))").fetchone()[0]
print(json.dumps(found))

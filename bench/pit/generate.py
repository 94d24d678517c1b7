"""Tables for point-in-time joins, as Parquet in time order: generate.py OUT ENTITIES SPINE_ROWS GROUPS ROWS_PER_GROUP FEATURES [KEYS]

KEYS is `integers` (uniform), `zipf` (exponent 1.2), `strings` (16 bytes) or `composite` (two columns).
"""

import os
import sys

import numpy
import pyarrow
import pyarrow.parquet

START, SPAN = 1_700_000_000_000_000, 90 * 86_400 * 1_000_000
SECOND_KEYS = 100


def keys(random, kind, entities, rows):
    if kind == "zipf":
        drawn = (random.zipf(1.2, rows) % entities).astype(numpy.int64)
    else:
        drawn = random.integers(0, entities, rows, dtype=numpy.int64)
    if kind == "strings":
        names = pyarrow.array([f"{entity:016d}" for entity in range(entities)])
        return {"entity_id": names.take(pyarrow.array(drawn))}
    if kind == "composite":
        return {"entity_id": pyarrow.array(drawn // SECOND_KEYS), "part_id": pyarrow.array(drawn % SECOND_KEYS)}
    return {"entity_id": pyarrow.array(drawn)}


def times(random, rows):
    drawn = numpy.sort(random.integers(START, START + SPAN, rows, dtype=numpy.int64))
    return {"event_time": pyarrow.array(drawn, pyarrow.timestamp("us", tz="UTC"))}


def main():
    out, sizes, kind = sys.argv[1], map(int, sys.argv[2:7]), (sys.argv[7:] or ["integers"])[0]
    entities, spine, groups, rows, features = sizes
    os.makedirs(out, exist_ok=True)
    random = numpy.random.default_rng(42)

    def write(name, columns):
        pyarrow.parquet.write_table(pyarrow.table(columns), f"{out}/{name}.parquet", compression="zstd", row_group_size=1 << 20)

    write("spine", keys(random, kind, entities, spine) | times(random, spine) | {"label": pyarrow.array(random.random(spine))})
    for group in range(groups):
        columns = keys(random, kind, entities, rows) | times(random, rows)
        for feature in range(features):
            columns[f"g{group}_f{feature}"] = pyarrow.array(random.random(rows))
        write(f"group{group}", columns)


if __name__ == "__main__":
    main()

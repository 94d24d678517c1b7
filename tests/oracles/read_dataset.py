"""A training dataset, read by pyarrow and Polars: read_dataset.py FOLDER [--rows N]

Checks every part's files, rows and columns against manifest.json; both readers see the same; the statistics hold; and the content
fingerprint, computed again by other means, is the one that the manifest states.
"""

import argparse
import hashlib
import json
import math
import pathlib

import fingerprint
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, help="how many rows all parts must have together")
    return parser.parse_args()


def check_files(folder, name, part):
    for file in part["files"]:
        content = (folder / file["path"]).read_bytes()
        assert len(content) == file["bytes"], f"{file['path']}: {len(content)} bytes, the manifest says {file['bytes']}"
        assert hashlib.sha256(content).hexdigest() == file["sha256"], f"{file['path']}: its hash is not the manifest's"
        rows = pyarrow.parquet.read_metadata(folder / file["path"]).num_rows
        assert rows == file["rows"], f"{file['path']}: {rows} rows, the manifest says {file['rows']}"
    named = sorted(file["path"] for file in part["files"])
    found = sorted(str(path.relative_to(folder)) for path in (folder / name).iterdir())
    assert found == named, f"{name}: the folder holds {found}, the manifest names {named}"


def check_columns(table, columns, part):
    found = [(field.name, fingerprint.word_of(field.type)) for field in table.schema]
    wanted = [(column["name"], column["type"]) for column in columns]
    assert found == wanted, f"{part}: columns are {found}, the manifest says {wanted}"


def check_polars(folder, part, table):
    frame = polars.read_parquet([folder / file["path"] for file in part["files"]])
    assert frame.height == table.num_rows, f"{part['part']}: Polars sees {frame.height} rows, pyarrow {table.num_rows}"
    assert frame.columns == table.column_names, f"{part['part']}: Polars sees columns {frame.columns}"
    for name in frame.columns:
        nulls = table.column(name).null_count
        assert frame[name].null_count() == nulls, f"{part['part']}.{name}: Polars sees {frame[name].null_count()} NULLs, pyarrow {nulls}"
        word = fingerprint.word_of(table.schema.field(name).type)
        if word in ("int32", "int64", "float32", "float64") and nulls < table.num_rows:
            ours, theirs = pyarrow.compute.max(table.column(name)).as_py(), frame[name].max()
            assert ours == theirs or (math.isnan(ours) and math.isnan(theirs)), f"{part['part']}.{name}: largest is {ours} or {theirs}"


def check_statistics(table, part):
    for stated in part["statistics"]:
        column = table.column(stated["column"])
        where = f"{part['part']}.{stated['column']}"
        assert stated["rows"] == table.num_rows, f"{where}: {stated['rows']} rows"
        assert stated["nulls"] == column.null_count, f"{where}: {stated['nulls']} NULLs, found {column.null_count}"
        if not pyarrow.types.is_floating(column.type) and not pyarrow.types.is_integer(column.type):
            continue
        finite = column.filter(pyarrow.compute.is_finite(column))
        if len(finite) == 0 or len(finite) + column.null_count < len(column):
            continue
        extremes = pyarrow.compute.min_max(finite).as_py()
        assert (stated["min"], stated["max"]) == (extremes["min"], extremes["max"]), f"{where}: {stated}, found {extremes}"
        mean = pyarrow.compute.mean(finite).as_py()
        assert math.isclose(stated["mean"], mean, rel_tol=1e-9, abs_tol=1e-9), f"{where}: mean {stated['mean']}, found {mean}"


def check_gap(folder, manifest):
    """Rows in no part: keys, event time and labels, for baselines; the fingerprint of the whole does not cover them."""
    gap = manifest.get("gap_rows")
    if gap is None:
        return
    check_files(folder, "gap", gap)
    table = pyarrow.concat_tables(pyarrow.parquet.ParquetFile(folder / file["path"]).read() for file in gap["files"])
    assert table.num_rows == gap["rows"] == manifest["rows"]["gap"], f"gap: {table.num_rows} rows, the manifest says {gap['rows']}"
    kept = [column for column in manifest["columns"] if column["role"] in ("key", "event_time", "label")]
    assert [column["name"] for column in kept] == gap["columns"], f"gap: the manifest names {gap['columns']}"
    check_columns(table, kept, "gap")
    found = fingerprint.of_table(table)
    assert found == gap["fingerprint"], f"gap: fingerprint {found}, the manifest says {gap['fingerprint']}"
    print(f"gap: {table.num_rows} rows; files, columns and fingerprint hold")


def main():
    asked = arguments()
    manifest = json.loads((asked.folder / "manifest.json").read_text())
    fingerprints, rows = [], 0
    for part in manifest["parts"]:
        check_files(asked.folder, part["part"], part)
        tables = [pyarrow.parquet.ParquetFile(asked.folder / file["path"]).read() for file in part["files"]]
        table = pyarrow.concat_tables(tables)
        assert table.num_rows == part["rows"], f"{part['part']}: {table.num_rows} rows, the manifest says {part['rows']}"
        check_columns(table, manifest["columns"], part["part"])
        check_polars(asked.folder, part, table)
        check_statistics(table, part)
        found = fingerprint.of_table(table)
        assert found == part["fingerprint"], f"{part['part']}: fingerprint {found}, the manifest says {part['fingerprint']}"
        fingerprints.append((part["part"], found))
        rows += table.num_rows
        print(f"{part['part']}: {table.num_rows} rows, {table.num_columns} columns; files, types, statistics and fingerprint hold")
    check_gap(asked.folder, manifest)
    found = fingerprint.of_parts(fingerprints)
    assert found == manifest["fingerprint"], f"the whole: fingerprint {found}, the manifest says {manifest['fingerprint']}"
    assert asked.rows is None or rows == asked.rows, f"wanted {asked.rows} rows, found {rows}"
    for join in manifest["joins"]:
        counted = sum(join[outcome] for outcome in ("matched", "unknown_entity", "before_first", "expired", "not_yet_known"))
        assert counted == manifest["spine"]["rows"], f"{join['group']}: outcomes sum to {counted}, the spine has {manifest['spine']['rows']} rows"
    print(f"the whole: {rows} rows, fingerprint {found[:12]}, computed independently")
    print("ok")


if __name__ == "__main__":
    main()

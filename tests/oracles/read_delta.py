"""A feature group's table, read by delta-rs in Python, DuckDB and Polars: read_delta.py TABLE --entity host --event-time ts [--rows N] [--version N]

Checks that the three see the same rows; that the hidden columns are there and say what they promise; that every file is
sorted; and that no engine may clean up what a dataset pins.
"""

import argparse

import deltalake
import duckdb
import polars
import pyarrow
import pyarrow.parquet

HIDDEN = {
    "__known_at": pyarrow.timestamp("us", tz="UTC"),
    "__ingest_id": pyarrow.int64(),
    "__row_number": pyarrow.int64(),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--entity", action="append", required=True, help="a key column; repeat for each, in order")
    parser.add_argument("--event-time", help="left out for a static group")
    parser.add_argument("--known-at", help="the declared column that says when a row became known")
    parser.add_argument("--rows", type=int, help="how many rows there must be")
    parser.add_argument("--version", type=int, help="read this version instead of the newest")
    return parser.parse_args()


def order_of(asked):
    times = [column for column in (asked.event_time, asked.known_at) if column]
    return asked.entity + times + ["__known_at", "__ingest_id", "__row_number"]


def plain(column):
    """Values that compare as the table's order does: times as microseconds."""
    column = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", tz="UTC")).cast(pyarrow.int64())
    elif pyarrow.types.is_date(column.type):
        column = column.cast(pyarrow.int32())
    return column.to_pylist()


def check_sorted(files, order):
    for file in files:
        table = pyarrow.parquet.read_table(file, columns=order)
        rows = list(zip(*(plain(table.column(name)) for name in order)))
        for before, after in zip(rows, rows[1:]):
            if None not in before and None not in after:
                assert before < after, f"{file}: {before} stands before {after}; wanted ascending by {order}"
    print(f"sorted: {len(files)} files by {', '.join(order)}")


def check_hidden(table):
    for name, wanted in HIDDEN.items():
        found = table.schema.field(name).type
        assert found == wanted, f"{name}: wanted {wanted}, found {found}"
        assert table.column(name).null_count == 0, f"{name} has NULLs"
    known, ingestion, number = (plain(table.column(name)) for name in HIDDEN)
    assert len(set(zip(ingestion, number))) == len(number), "two rows have the same place in the same ingestion"
    known_of = {}
    for at, which in zip(known, ingestion):
        assert known_of.setdefault(which, at) == at, f"ingestion {which} has two times: {known_of[which]} and {at}"
    times = [known_of[which] for which in sorted(known_of)]
    assert times == sorted(times), f"a later ingestion was known earlier: {known_of}"
    print(f"hidden columns: {len(known_of)} ingestions, each known at one time, in order")


def same_rows(table, other, who, order):
    columns = table.column_names
    assert sorted(columns) == sorted(other.column_names), f"{who} sees columns {other.column_names}, delta-rs {columns}"
    assert table.num_rows == other.num_rows, f"{who} sees {other.num_rows} rows, delta-rs {table.num_rows}"
    place = ["__ingest_id", "__row_number"]

    def arranged(rows):
        number = [(name, "ascending") for name in place]
        return rows.select(columns).sort_by(number)

    left, right = arranged(table), arranged(other)
    for name in columns:
        assert plain(left.column(name)) == plain(right.column(name)), f"{who} reads other values in `{name}`"
    print(f"{who}: {other.num_rows} rows, {len(columns)} columns, the same values")


def check_retention(delta):
    found = delta.metadata().configuration
    assert found.get("delta.enableExpiredLogCleanup") == "false", f"any engine may clean up the log: {found}"
    for name in ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"):
        assert name in found, f"{name} is not set: {found}"
    print("retention: no engine may clean up the log or the files of old versions")


def main():
    asked = arguments()
    order = order_of(asked)
    delta = deltalake.DeltaTable(asked.table, version=asked.version)
    table = pyarrow.table(delta.to_pyarrow_dataset().to_table())
    files = [uri.removeprefix("file://") for uri in delta.file_uris()]
    assert asked.rows is None or table.num_rows == asked.rows, f"wanted {asked.rows} rows, found {table.num_rows}"
    print(f"delta-rs: version {delta.version()}, {len(files)} files, {table.num_rows} rows")

    check_retention(delta)
    check_hidden(table)
    check_sorted(files, order)
    if files:
        duck = duckdb.connect()
        duck.execute("set timezone = 'UTC'")
        rows = duck.sql("select * from read_parquet($files, union_by_name = true, hive_partitioning = false)", params={"files": files})
        same_rows(table, rows.to_arrow_table(), "DuckDB", order)
    same_rows(table, polars.read_delta(asked.table, version=asked.version).to_arrow(), "Polars", order)
    print("ok")


if __name__ == "__main__":
    main()

"""An exported dataset, read by the programs that people use: read_exports.py FOLDER

Every part was exported in every format. What pyarrow reads of the Parquet file is the measure for the others: CSV (pyarrow, Polars), JSON lines
(Polars), Arrow IPC (pyarrow, mapped), TFRecord (by its specification, every checksum computed here), NumPy's structured array (numpy,
mapped, nothing pickled).
"""

import datetime
import math
import pathlib
import struct
import sys

import numpy
import polars
import pyarrow
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet


def same(one, other, single=False):
    """Whether two values are one; `single`: as far as 32 bits of a float go."""
    if one is None or other is None:
        return one is other
    if isinstance(one, float) and isinstance(other, float):
        one = float(numpy.float32(one)) if single else one
        return one == other or (math.isnan(one) and math.isnan(other))
    return one == other


def check(place, wanted, found, single=False):
    assert len(wanted) == len(found), f"{place}: {len(found)} rows, wanted {len(wanted)}"
    for row, (one, other) in enumerate(zip(wanted, found)):
        assert same(one, other, single), f"{place}, row {row}: {other!r}, wanted {one!r}"


def check_csv(path, table):
    typed = pyarrow.csv.ConvertOptions(column_types=table.schema, strings_can_be_null=True)
    read = pyarrow.csv.read_csv(path, convert_options=typed)
    frame = polars.read_csv(path, schema_overrides={name: polars.String for name in table.column_names})
    for name in table.column_names:
        wanted = table.column(name).to_pylist()
        check(f"{path}, {name}", wanted, read.column(name).to_pylist())
        assert frame[name].len() == len(wanted), f"{path}, {name}: Polars reads {frame[name].len()} rows"


def check_jsonl(path, table):
    frame = polars.read_ndjson(path, infer_schema_length=None)
    for name in table.column_names:
        kind, wanted = table.schema.field(name).type, table.column(name).to_pylist()
        found = frame[name].to_list()
        if pyarrow.types.is_timestamp(kind):
            found = [None if text is None else datetime.datetime.fromisoformat(str(text)).astimezone(datetime.timezone.utc) for text in found]
        elif pyarrow.types.is_date(kind):
            found = [None if text is None else datetime.date.fromisoformat(str(text)[:10]) for text in found]
        elif pyarrow.types.is_floating(kind):
            # The digits are those that it takes to read the same number again, in the column's own precision.
            exact = numpy.float32 if pyarrow.types.is_float32(kind) else float
            found = [None if number is None else float(exact(number)) for number in found]
        check(f"{path}, {name}", wanted, found)


def check_arrow(path, table):
    with pyarrow.memory_map(str(path)) as source:
        read = pyarrow.ipc.open_file(source).read_all()
        assert read.equals(table), f"{path}: differs from the Parquet file"


def checksum_table():
    def entry(byte):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        return byte

    return [entry(byte) for byte in range(256)]


CHECKSUMS = checksum_table()


def masked_checksum(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = CHECKSUMS[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    content, place = path.read_bytes(), 0
    while place < len(content):
        length, of_length = struct.unpack_from("<QI", content, place)
        assert masked_checksum(content[place : place + 8]) == of_length, f"{path}, byte {place}: the checksum of a length"
        record = content[place + 12 : place + 12 + length]
        (of_record,) = struct.unpack_from("<I", content, place + 12 + length)
        assert masked_checksum(record) == of_record, f"{path}, byte {place}: the checksum of a record"
        place += 16 + length
        yield record


def varint(content, place):
    number = shift = 0
    while True:
        byte = content[place]
        number, shift, place = number | (byte & 0x7F) << shift, shift + 7, place + 1
        if byte < 0x80:
            return number, place


def fields(content):
    """The fields of a protobuf message: number, and an integer, four bytes, or the bytes of something longer."""
    place = 0
    while place < len(content):
        tag, place = varint(content, place)
        if tag & 7 == 0:
            value, place = varint(content, place)
        elif tag & 7 == 5:
            value, place = content[place : place + 4], place + 4
        else:
            assert tag & 7 == 2, f"wire type {tag & 7}"
            length, place = varint(content, place)
            value, place = content[place : place + length], place + length
        yield tag >> 3, value


def signed(number):
    return number - (1 << 64) if number >= 1 << 63 else number


def feature_value(content):
    ((kind, values),) = fields(content)
    ((number, value),) = fields(values)
    assert number == 1, f"field {number} of a list"
    if kind == 1:
        return value.decode()
    if kind == 2:
        assert len(value) == 4, "one float"
        return struct.unpack("<f", value)[0]
    # Packed: the list is one run of varints.
    return signed(value if isinstance(value, int) else varint(value, 0)[0])


def example(record):
    found = {}
    for _, features in fields(record):
        for _, entry in fields(features):
            key_and_value = dict(fields(entry))
            found[key_and_value[1].decode()] = feature_value(key_and_value[2])
    return found


def plain(table, name):
    """A column as TFRecord has it: booleans and times are integers."""
    kind, column = table.schema.field(name).type, table.column(name)
    if pyarrow.types.is_boolean(kind):
        return [None if value is None else int(value) for value in column.to_pylist()]
    if pyarrow.types.is_date(kind):
        return column.cast(pyarrow.int32()).to_pylist()
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.int64()).to_pylist()
    return column.to_pylist()


def check_tfrecord(path, table):
    rows = [example(record) for record in records(path)]
    assert len(rows) == table.num_rows, f"{path}: {len(rows)} records, wanted {table.num_rows}"
    for name in table.column_names:
        check(f"{path}, {name}", plain(table, name), [row.get(name) for row in rows], single=True)


def check_npy(path, table):
    array = numpy.load(path, mmap_mode="r", allow_pickle=False)
    assert array.shape == (table.num_rows,), f"{path}: shape {array.shape}"
    own = [name for name in array.dtype.names if not name.endswith(".null")]
    assert own == table.column_names, f"{path}: fields {own}"
    for name in own:
        kind, values = table.schema.field(name).type, array[name]
        if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
            nulls, values = numpy.isnat(values), values.astype("int64")
            wanted = plain(table, name)
        else:
            nulls = numpy.isnan(values) if values.dtype.kind == "f" else numpy.zeros(len(values), dtype=bool)
            wanted = table.column(name).to_pylist()
        if f"{name}.null" in array.dtype.names:
            nulls = array[f"{name}.null"]
        found = [None if null else value.item() for null, value in zip(nulls, values)]
        check(f"{path}, {name}", wanted, found)


def main():
    folder = pathlib.Path(sys.argv[1])
    parts = sorted(folder.glob("*.parquet"))
    assert parts, f"no Parquet files in {folder}"
    for path in parts:
        table = pyarrow.parquet.read_table(path)
        check_csv(path.with_suffix(".csv"), table)
        check_jsonl(path.with_suffix(".jsonl"), table)
        check_arrow(path.with_suffix(".arrow"), table)
        check_tfrecord(path.with_suffix(".tfrecord"), table)
        check_npy(path.with_suffix(".npy"), table)
        print(f"{path.stem}: {table.num_rows} rows, {table.num_columns} columns: csv, jsonl, arrow, tfrecord and npy hold the same")
    print("ok")


if __name__ == "__main__":
    main()

"""The content fingerprint, computed a second time by other means: NumPy and hashlib in place of Rust.

The canonical form is written down in crates/feature_store/src/fingerprint.rs. All numbers are little-endian.
"""

import hashlib
import struct

import numpy
import pyarrow

WORDS = {
    pyarrow.bool_(): "bool",
    pyarrow.int32(): "int32",
    pyarrow.int64(): "int64",
    pyarrow.float32(): "float32",
    pyarrow.float64(): "float64",
    pyarrow.date32(): "date",
    pyarrow.timestamp("us", tz="UTC"): "timestamp",
}
STORED = {"bool": "u1", "int32": "<i4", "int64": "<i8", "float32": "<f4", "float64": "<f8", "date": "<i4", "timestamp": "<i8"}


def word_of(data_type):
    """The word that a definition uses for a type."""
    if pyarrow.types.is_dictionary(data_type):
        return word_of(data_type.value_type)
    if pyarrow.types.is_string(data_type) or pyarrow.types.is_large_string(data_type) or pyarrow.types.is_string_view(data_type):
        return "utf8"
    if pyarrow.types.is_timestamp(data_type) and data_type.unit == "us" and data_type.tz is not None:
        return "timestamp"
    return WORDS[data_type]


def canonical_text(array):
    out = bytearray()
    for value in array.to_pylist():
        if value is None:
            out += b"\0"
        else:
            encoded = value.encode()
            out += b"\1" + struct.pack("<Q", len(encoded)) + encoded
    return bytes(out)


def canonical_numbers(array, word):
    valid = numpy.asarray(array.is_valid())
    if word == "timestamp":
        array = array.cast(pyarrow.int64())
    elif word == "date":
        array = array.cast(pyarrow.int32())
    elif word == "bool":
        array = array.cast(pyarrow.uint8())
    values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(STORED[word])
    if word.startswith("float"):
        values = numpy.where(numpy.isnan(values), numpy.array(numpy.nan, STORED[word]), values)
        assert numpy.array(numpy.nan, STORED[word]).tobytes()[-2:] in (b"\xc0\x7f", b"\xf8\x7f")
    width = values.dtype.itemsize
    table = numpy.empty((len(values), 1 + width), numpy.uint8)
    table[:, 0] = valid
    table[:, 1:] = numpy.ascontiguousarray(values).view(numpy.uint8).reshape(len(values), width)
    keep = numpy.repeat(valid[:, None], 1 + width, axis=1)
    keep[:, 0] = True
    return table[keep].tobytes()


def canonical(column, word):
    """The bytes of a column's values in row order."""
    array = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    if isinstance(array, pyarrow.ChunkedArray):
        array = pyarrow.concat_arrays(array.chunks) if array.num_chunks else pyarrow.array([], array.type)
    if pyarrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return canonical_text(array) if word == "utf8" else canonical_numbers(array, word)


def of_table(table):
    """The fingerprint of a table, 64 hexadecimal digits."""
    whole = hashlib.sha256(b"table 1\n" + struct.pack("<QI", table.num_rows, table.num_columns))
    for name in table.column_names:
        column = table.column(name)
        word = word_of(column.type)
        for text in (name.encode(), word.encode()):
            whole.update(struct.pack("<I", len(text)) + text)
        whole.update(hashlib.sha256(canonical(column, word)).digest())
    return whole.hexdigest()


def of_parts(parts):
    """The fingerprint of several tables as one thing: pairs of name and fingerprint, in order."""
    whole = hashlib.sha256(b"dataset 1\n")
    for name, fingerprint in parts:
        whole.update(struct.pack("<I", len(name.encode())) + name.encode() + bytes.fromhex(fingerprint))
    return whole.hexdigest()

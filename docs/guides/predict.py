"""Predictions with LightGBM in Python, without the platform: predict.py MODEL_FOLDER ROWS.parquet"""

import json
import pathlib
import sys

import lightgbm
import numpy
import pyarrow
import pyarrow.parquet


def numbers(column, encoding):
    """One input column as floats; NULL and unknown categories are NaN. `encoding` comes from preprocessing.json."""
    values = column.combine_chunks()
    kind = encoding["kind"]
    if kind in ("texts", "codes"):
        place = {value: at for at, value in enumerate(encoding["values"])}
        return numpy.array([place.get(value, numpy.nan) for value in values.to_pylist()], dtype=float)
    if kind == "days":
        values = values.cast(pyarrow.int32())
    if kind == "seconds":
        values = values.cast(pyarrow.timestamp("us", tz="UTC")).cast(pyarrow.int64())
    if kind == "flag":
        values = values.cast(pyarrow.int8())
    values = values.cast(pyarrow.float64()).fill_null(numpy.nan).to_numpy(zero_copy_only=False)
    return values / 1e6 if kind == "seconds" else values


def predict(folder, rows):
    """Predictions for a table that holds the model's inputs: a number a row, or a probability per class."""
    preprocessing = json.loads((folder / "preprocessing.json").read_text())
    model = lightgbm.Booster(model_file=folder / "model.txt")
    inputs = [numbers(rows.column(column["name"]), column["encoding"]) for column in preprocessing["columns"]]
    predictions = model.predict(numpy.column_stack(inputs))
    if json.loads((folder / "signature.json").read_text())["objective"] == "multiclassova":
        # One against all: a question for each class. As the platform does, each row's answers are divided by their sum.
        sums = predictions.sum(axis=1, keepdims=True)
        predictions = numpy.where(sums == 0, 1 / predictions.shape[1], predictions / numpy.where(sums == 0, 1, sums))
    return predictions


if __name__ == "__main__":
    print(predict(pathlib.Path(sys.argv[1]), pyarrow.parquet.read_table(sys.argv[2])))

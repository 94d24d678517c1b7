"""A registered model, loaded by LightGBM in Python: predict_model.py MODEL_FOLDER ROWS.parquet PREDICTIONS.parquet

Prepares the rows as preprocessing.json says (by the code of docs/guides/predict.py), predicts with model.txt, and compares every
number with what `platform predict MODEL --from ROWS.parquet --to PREDICTIONS.parquet` wrote.
"""

import json
import pathlib
import sys

import numpy
import pyarrow.parquet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs" / "guides"))
import predict as guide  # noqa: E402

TOLERANCE = 1e-12


def main():
    folder, rows, predictions = (pathlib.Path(argument) for argument in sys.argv[1:4])
    signature = json.loads((folder / "signature.json").read_text())
    preprocessing = json.loads((folder / "preprocessing.json").read_text())
    inputs = [column["name"] for column in signature["inputs"]]
    prepared = [column["name"] for column in preprocessing["columns"]]
    assert inputs == prepared, f"signature.json takes {inputs}, preprocessing.json prepares {prepared}"

    table, ours = pyarrow.parquet.read_table(rows), pyarrow.parquet.read_table(predictions)
    theirs = guide.predict(folder, table)
    assert ours.num_rows == table.num_rows, f"{ours.num_rows} predictions for {table.num_rows} rows"
    numeric = [output["name"] for output in signature["outputs"] if output["type"].startswith("float")]
    theirs = theirs.reshape(table.num_rows, -1)
    if len(numeric) == 2 and theirs.shape[1] == 1:
        # Of two classes LightGBM gives the second's probability.
        theirs = numpy.column_stack([1 - theirs, theirs])
    assert theirs.shape[1] == len(numeric), f"the model gives {theirs.shape[1]} numbers a row, the signature says {numeric}"
    for place, name in enumerate(numeric):
        found = ours.column(name).to_numpy()
        worst = float(numpy.max(numpy.abs(found - theirs[:, place]), initial=0.0))
        scale = max(1.0, float(numpy.max(numpy.abs(found), initial=0.0)))
        assert worst <= TOLERANCE * scale, f"{name}: the largest difference is {worst}"
        print(f"{name}: {len(found)} predictions, largest difference {worst:g}")
    print("ok")


if __name__ == "__main__":
    main()

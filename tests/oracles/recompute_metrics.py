"""Metrics, computed again by scikit-learn: recompute_metrics.py MODEL_FOLDER ROWS.parquet PREDICTIONS.parquet

ROWS is the part that the model was evaluated on, with its label; PREDICTIONS is what `platform predict` gave for it. Every metric of the
model over the whole part in metrics.json is computed again.
"""

import json
import math
import pathlib
import sys

import numpy
import pyarrow.parquet
from sklearn import metrics

TOLERANCE = 1e-9


def regression(name, truth, predicted):
    if name.startswith("pinball("):
        return metrics.mean_pinball_loss(truth, predicted, alpha=float(name[len("pinball("):-1]))
    if name == "mape":
        known = truth != 0
        return metrics.mean_absolute_percentage_error(truth[known], predicted[known])
    if name == "smape":
        size = numpy.abs(truth) + numpy.abs(predicted)
        return numpy.mean(numpy.where(size == 0, 0, 2 * numpy.abs(truth - predicted) / numpy.where(size == 0, 1, size)))
    return {
        "mae": metrics.mean_absolute_error,
        "mse": metrics.mean_squared_error,
        "rmse": metrics.root_mean_squared_error,
        "r2": metrics.r2_score,
    }[name](truth, predicted)


def classification(name, truth, probabilities, classes):
    if probabilities.shape[1] == 1:
        probabilities = numpy.column_stack([1 - probabilities[:, 0], probabilities[:, 0]])
    chosen = probabilities.argmax(axis=1)
    if name == "auc":
        return metrics.roc_auc_score(truth, probabilities[:, 1])
    if name == "log_loss":
        return metrics.log_loss(truth, numpy.clip(probabilities, 2**-52, 1 - 2**-52), labels=range(len(classes)))
    if name == "accuracy":
        return metrics.accuracy_score(truth, chosen)
    score = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}[name]
    average = "binary" if len(classes) == 2 else "macro"
    labels = None if len(classes) == 2 else sorted(set(truth) | set(chosen))
    return score(truth, chosen, average=average, labels=labels, zero_division=0)


def stated_metrics(document):
    """Name and value of each metric of the model on the part that gates look at: test, else validation, else train."""
    parts = {part["part"]: part for part in document["parts"]}
    judged = next(parts[name] for name in ("test", "validation", "train") if name in parts)
    return {score["metric"]: score["value"] for score in judged["model"] if score["value"] is not None}


def main():
    folder, rows, predictions = (pathlib.Path(argument) for argument in sys.argv[1:4])
    signature = json.loads((folder / "signature.json").read_text())
    stated = stated_metrics(json.loads((folder / "metrics.json").read_text()))
    numeric = [output["name"] for output in signature["outputs"] if output["type"].startswith("float")]
    ours = pyarrow.parquet.read_table(predictions)
    predicted = numpy.column_stack([ours.column(name).to_numpy() for name in numeric])
    labels = pyarrow.parquet.read_table(rows).column(signature["target"]).to_pylist()
    known = numpy.array([label is not None for label in labels])
    labels = [label for label in labels if label is not None]
    predicted = predicted[known]
    classes = signature.get("classes")
    if classes:
        place = {name: at for at, name in enumerate(classes)}
        word = lambda label: str(label).lower() if isinstance(label, bool) else str(label)
        truth = numpy.array([place[word(label)] for label in labels])
    else:
        truth = numpy.array(labels, dtype=float)
    assert stated, "metrics.json states no metric of the model"
    for name, value in stated.items():
        found = classification(name, truth, predicted, classes) if classes else regression(name, truth, predicted[:, 0])
        assert math.isclose(value, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE), f"{name}: metrics.json says {value}, scikit-learn {found}"
        print(f"{name}: {value} over {len(truth)} rows")
    print("ok")


if __name__ == "__main__":
    main()

"""LightGBM in Python, from Parquet to a saved model: train_peer.py DATA.parquet ROUNDS MODEL.txt

The usual way: Parquet into one NumPy matrix, the first 80 % of the rows to train on, the rest to validate on.
"""

import json
import sys
import time

import lightgbm
import numpy
import pyarrow.parquet
from sklearn.metrics import mean_absolute_error

started = time.perf_counter()
table = pyarrow.parquet.read_table(sys.argv[1])
names = [name for name in table.column_names if name.startswith("f")]
x = numpy.column_stack([table.column(name).to_numpy() for name in names])
y = table.column("y").to_numpy()
del table
read = time.perf_counter()
cut = int(len(y) * 0.8)
train = lightgbm.Dataset(x[:cut], y[:cut])
valid = train.create_valid(x[cut:], y[cut:])
parameters = {"objective": "regression", "num_leaves": 63, "learning_rate": 0.1, "num_threads": 2, "deterministic": True,
              "force_row_wise": True, "seed": 42, "verbose": -1}
booster = lightgbm.train(parameters, train, int(sys.argv[2]), valid_sets=[valid])
booster.save_model(sys.argv[3])
done = time.perf_counter()
print(json.dumps({"read": read - started, "fit": done - read, "mae": mean_absolute_error(y[cut:], booster.predict(x[cut:]))}))

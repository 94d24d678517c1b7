"""Reads a transformer's weights with safetensors, and its settings with json: every weight is of finite 32-bit floats."""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file

folder = pathlib.Path(sys.argv[1])
weights = load_file(folder / "model.safetensors")
config = json.loads((folder / "config.json").read_text())
json.loads((folder / "preprocessing.json").read_text())
assert weights, "there are no weights"
for name, values in weights.items():
    assert values.dtype == np.float32 and np.isfinite(values).all(), name
width = config["architecture"]["width"]
assert any(values.shape == (width,) for values in weights.values()), "no bias or norm of the network's width"
print(f"{len(weights)} weights, {sum(values.size for values in weights.values())} numbers, width {width}")

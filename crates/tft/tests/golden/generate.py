"""Writes `golden.json`: a Temporal Fusion Transformer in PyTorch, written from the paper's equations alone, in double precision.

usage: generate.py [golden.json]

Weights follow a rule that the Rust test follows too, so that they need not be stored: number i of the parameter named n is
sin(0.7 (i + 1) + length of n) / 3, plus 1 for scales of norms. Inputs are in the file, with forecasts, gradients and the weights
after each of ten steps of AdamW with clipping.
"""

import json
import math
import sys

import torch
from torch.nn.functional import elu, layer_norm

torch.set_default_dtype(torch.float64)

CASES = [
    # name, width, heads, context, horizon, static categories' rows, known continuous, known categories' rows, observed, targets
    dict(name="small", width=4, heads=2, context=5, horizon=3, static=[6], known=1, known_rows=[3], observed=2, targets=2),
    dict(name="wide", width=8, heads=4, context=9, horizon=4, static=[5], known=2, known_rows=[], observed=1, targets=1),
]
QUANTILES = [0.1, 0.5, 0.9]
BATCH, EPSILON, STEPS, RATE, CLIP = 3, 1e-3, 10, 1e-2, 1.0
# Of gradients and stepped weights, every so many-th number is written.
STRIDE = 5


class Weights:
    """Parameters by name, made when they are asked for."""

    def __init__(self):
        self.all = {}

    def __call__(self, name, *shape):
        if name not in self.all:
            count = math.prod(shape)
            values = torch.sin(0.7 * torch.arange(1, count + 1) + len(name)) / 3
            if name.endswith("scale"):
                values = values + 1
            self.all[name] = values.reshape(shape).requires_grad_()
        return self.all[name]


def linear(w, name, x, inputs, outputs, bias=True):
    y = x @ w(f"{name}.weight", inputs, outputs)
    return y + w(f"{name}.bias", outputs) if bias else y


def glu(x):
    opened, value = x.chunk(2, -1)
    return torch.sigmoid(opened) * value


def norm(w, name, x):
    d = x.shape[-1]
    return layer_norm(x, (d,), w(f"{name}.scale", d), w(f"{name}.shift", d), EPSILON)


def grn(w, name, x, context=None):
    """Equations 2 to 4, with inputs and outputs of one width."""
    d = x.shape[-1]
    hidden = linear(w, f"{name}.first", x, d, d)
    if context is not None:
        hidden = hidden + linear(w, f"{name}.context", context, d, d, bias=False).unsqueeze(1)
    hidden = linear(w, f"{name}.second", elu(hidden), d, d)
    return norm(w, f"{name}.norm", x + glu(linear(w, f"{name}.gate", hidden, d, 2 * d)))


def gate_add_norm(w, name, x, skip):
    d = x.shape[-1]
    return norm(w, f"{name}.norm", skip + glu(linear(w, f"{name}.gate", x, d, 2 * d)))


def select(w, name, vectors, context=None):
    """Equations 6 to 8. `vectors`: [batch, steps, width] of each variable."""
    m, d = len(vectors), vectors[0].shape[-1]
    flat = torch.cat(vectors, -1)
    hidden = flat @ w(f"{name}.joint.first", m, d, d).reshape(m * d, d) + w(f"{name}.joint.bias", d)
    if context is not None:
        hidden = hidden + linear(w, f"{name}.joint.context", context, d, d, bias=False).unsqueeze(1)
    hidden = linear(w, f"{name}.joint.second", elu(hidden), d, d)
    gated = glu(linear(w, f"{name}.joint.gate", hidden, d, 2 * m))
    skip = flat @ w(f"{name}.joint.skip", m, d, m).reshape(m * d, m) + w(f"{name}.joint.skip_bias", m)
    ranks = skip + gated
    if m > 1:
        ranks = norm(w, f"{name}.joint.norm", ranks)
    weights = torch.softmax(ranks, -1)
    v = f"{name}.variables"
    parts = dict(first=d, second=d, gate=2 * d)
    layers = {part: (w(f"{v}.{part}.weight", m, d, out), w(f"{v}.{part}.bias", m, out)) for part, out in parts.items()}
    scale, shift = w(f"{v}.scale", m, d), w(f"{v}.shift", m, d)
    total = 0
    for j, vector in enumerate(vectors):
        apply = lambda part, x: x @ layers[part][0][j] + layers[part][1][j]
        hidden = apply("second", elu(apply("first", vector)))
        own = layer_norm(vector + glu(apply("gate", hidden)), (d,), scale[j], shift[j], EPSILON)
        total = total + weights[..., j : j + 1] * own
    return total, weights


def embed(w, name, continuous, categories, tables, width):
    """[batch, steps, continuous] and a list of [batch, steps] → vectors."""
    count = tables["continuous"]
    found = []
    if count:
        slopes, intercepts = w(f"{name}.slopes", count, width), w(f"{name}.intercepts", count, width)
        found += [continuous[..., j : j + 1] * slopes[j] + intercepts[j] for j in range(continuous.shape[-1])]
    for j, column in enumerate(categories):
        found.append(w(f"{name}.tables.{j}", tables["rows"][j], width)[column])
    return found


def lstm(w, name, x, h, c):
    d = x.shape[-1]
    inputs, hidden, bias = w(f"{name}.input", d, 4 * d), w(f"{name}.hidden", d, 4 * d), w(f"{name}.bias", 4 * d)
    outputs = []
    for step in range(x.shape[1]):
        i, f, g, o = (x[:, step] @ inputs + h @ hidden + bias).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, 1), h, c


def attend(w, x, heads, context):
    d, steps = x.shape[-1], x.shape[1]
    each = d // heads
    query, key = linear(w, "attention.query", x, d, d, bias=False), linear(w, "attention.key", x, d, d, bias=False)
    value = linear(w, "attention.value", x, d, each, bias=False)
    mask = torch.triu(torch.full((steps, steps), -torch.inf), 1)
    weights = 0
    for head in range(heads):
        part = slice(head * each, (head + 1) * each)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(each)
        weights = weights + torch.softmax(scores + mask, -1) / heads
    return linear(w, "attention.output", weights @ value, each, d, bias=False), weights


def forward(w, case, data):
    d, context = case["width"], case["context"]
    fixed = embed(w, "fixed.embedding", None, [data["static"].unsqueeze(1)], dict(continuous=0, rows=case["static"]), d)
    static, static_weights = select(w, "fixed.selection", fixed)
    cs, ce, ch, cc = (grn(w, f"fixed.contexts.{use}", static).squeeze(1) for use in ("selection", "enrichment", "hidden", "cell"))
    tables = dict(continuous=case["known"] + case["observed"], rows=case["known_rows"])
    known, kinds, observed = data["known"], data["kinds"], data["observed"]
    past = torch.cat([known[:, :context], observed], -1)
    vectors = embed(w, "embedding", past, [kind[:, :context] for kind in kinds], tables, d)
    past, past_weights = select(w, "past", vectors, cs)
    vectors = embed(w, "embedding", known[:, context:], [kind[:, context:] for kind in kinds], tables, d)
    future, future_weights = select(w, "future", vectors, cs)
    encoded, h, c = lstm(w, "recurrence.encoder", past, ch, cc)
    decoded, _, _ = lstm(w, "recurrence.decoder", future, h, c)
    local = gate_add_norm(w, "recurrence_gate", torch.cat([encoded, decoded], 1), torch.cat([past, future], 1))
    enriched = grn(w, "enrichment", local, ce)
    attended, attention = attend(w, enriched, case["heads"], context)
    attentive = gate_add_norm(w, "attention_gate", attended, enriched)[:, context:]
    output = gate_add_norm(w, "output_gate", grn(w, "position_wise", attentive), local[:, context:])
    forecast = linear(w, "output", output, d, case["targets"] * len(QUANTILES))
    return forecast.reshape(BATCH, case["horizon"], case["targets"], len(QUANTILES)), attention[:, context:], past_weights


def loss_of(forecast, target):
    rest = target.unsqueeze(-1) - forecast
    q = torch.tensor(QUANTILES)
    return torch.maximum(q * rest, (q - 1) * rest).sum() / target.numel()


def rounded(tensor):
    return [float(f"{number:.9g}") for number in tensor.detach().flatten().tolist()]


def main():
    cases = []
    for case in CASES:
        generator = torch.Generator().manual_seed(len(cases) + 1)
        steps = case["context"] + case["horizon"]
        draw = lambda *shape: (4 * torch.rand(*shape, generator=generator) - 2).float().double()
        data = dict(
            static=torch.randint(0, case["static"][0], (BATCH,), generator=generator),
            known=draw(BATCH, steps, case["known"]),
            kinds=[torch.randint(0, rows, (BATCH, steps), generator=generator) for rows in case["known_rows"]],
            observed=draw(BATCH, case["context"], case["observed"]),
            target=draw(BATCH, case["horizon"], case["targets"]),
        )
        w = Weights()
        forecast, attention, past = forward(w, case, data)
        loss_of(forecast, data["target"]).backward()
        found = dict(forecast=rounded(forecast), attention=rounded(attention), past=rounded(past))
        found["gradients"] = {name: rounded(p.grad.flatten()[::STRIDE]) for name, p in sorted(w.all.items())}
        losses = []
        optimiser = torch.optim.AdamW(w.all.values(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
        for _ in range(STEPS):
            optimiser.zero_grad()
            loss = loss_of(forward(w, case, data)[0], data["target"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(w.all.values(), CLIP)
            optimiser.step()
            losses.append(loss.item())
        found["losses"] = losses
        found["stepped"] = {name: rounded(p.flatten()[::STRIDE]) for name, p in sorted(w.all.items())}
        inputs = {name: rounded(value) for name, value in data.items() if name not in ("kinds", "static")}
        inputs["static"] = data["static"].tolist()
        inputs["kinds"] = [kind.flatten().tolist() for kind in data["kinds"]]
        cases.append(dict(case, inputs=inputs, found=found))
    settings = dict(stride=STRIDE, batch=BATCH, quantiles=QUANTILES, steps=STEPS, rate=RATE, clip=CLIP)
    path = sys.argv[1] if len(sys.argv) > 1 else "golden.json"
    with open(path, "w") as file:
        json.dump(dict(settings, cases=cases), file, separators=(",", ":"))
        file.write("\n")


main()

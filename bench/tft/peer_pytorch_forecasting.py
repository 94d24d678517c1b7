"""Training and forecasting speed of pytorch-forecasting's Temporal Fusion Transformer, loader included: a line of JSON.

usage: peer_pytorch_forecasting.py NAME CONTEXT HORIZON HIDDEN HEADS TARGETS STEPS        (STEPS 0: one window, forward alone)

The panel is that of crates/tft/benches/training.rs: waves of 100 entities, hour and weekday known, the entity as a static category.
"""

import json
import resource
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import lightning.pytorch as lightning
import numpy as np
import pandas as pd
import torch
from pytorch_forecasting import QuantileLoss, TemporalFusionTransformer, TimeSeriesDataSet
from pytorch_forecasting.data import GroupNormalizer, MultiNormalizer
from pytorch_forecasting.metrics import MultiLoss

BATCH, ENTITIES, LENGTH, QUANTILES = 64, 100, 2_000, [0.1, 0.5, 0.9]


def panel(targets):
    entity, step = np.repeat(np.arange(ENTITIES), LENGTH), np.tile(np.arange(LENGTH), ENTITIES)
    columns = dict(entity=entity.astype(str), step=step, hour=(step % 24).astype(float), weekday=(step // 24 % 7).astype(float))
    for target in range(targets):
        noise = ((entity * 7919 + step * 104_729 + target * 1_299_709) % 1000) / 1000
        columns[f"target{target}"] = np.sin(step / 12 + entity + target) + noise
    return pd.DataFrame(columns)


class Clock(lightning.Callback):
    def __init__(self):
        self.times = []

    def on_train_batch_end(self, *_):
        self.times.append(time.perf_counter())


def main():
    name = sys.argv[1]
    context, horizon, hidden, heads, targets, steps = map(int, sys.argv[2:8])
    torch.set_num_threads(2 if steps else 1)
    lightning.seed_everything(42, verbose=False)
    names = [f"target{target}" for target in range(targets)]
    is_one = targets == 1
    normaliser = lambda: GroupNormalizer(groups=["entity"])
    data = TimeSeriesDataSet(
        panel(targets),
        time_idx="step",
        target=names[0] if is_one else names,
        group_ids=["entity"],
        min_encoder_length=context,
        max_encoder_length=context,
        min_prediction_length=horizon,
        max_prediction_length=horizon,
        static_categoricals=["entity"],
        time_varying_known_reals=["hour", "weekday"],
        time_varying_unknown_reals=names,
        target_normalizer=normaliser() if is_one else MultiNormalizer([normaliser() for _ in names]),
    )
    loss = QuantileLoss(QUANTILES) if is_one else MultiLoss([QuantileLoss(QUANTILES) for _ in names])
    model = TemporalFusionTransformer.from_dataset(
        data,
        hidden_size=hidden,
        hidden_continuous_size=hidden,
        attention_head_size=heads,
        dropout=0.1,
        loss=loss,
        output_size=len(QUANTILES) if is_one else [len(QUANTILES)] * targets,
        learning_rate=1e-3,
        log_interval=-1,
    )
    if steps:
        clock = Clock()
        trainer = lightning.Trainer(
            max_steps=steps,
            accelerator="cpu",
            enable_checkpointing=False,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=1.0,
            callbacks=[clock],
        )
        trainer.fit(model, data.to_dataloader(train=True, batch_size=BATCH, num_workers=0))
        seconds = statistics.median(np.diff(clock.times[2:]))
        windows = BATCH / seconds
    else:
        window, _ = next(iter(data.to_dataloader(train=False, batch_size=1, num_workers=0)))
        model.eval()
        times = []
        with torch.no_grad():
            for _ in range(30):
                start = time.perf_counter()
                model(window)
                times.append(time.perf_counter() - start)
        seconds = statistics.median(times)
        windows = 1 / seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(dict(case=name, milliseconds=seconds * 1e3, windows_a_second=windows, peak_megabytes=peak)))


main()

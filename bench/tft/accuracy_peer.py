"""A peer's Temporal Fusion Transformer, trained on so many windows and measured on the validation part: a line of JSON.

usage: accuracy_peer.py PEER PANEL.parquet TRAIN_LAST FIRST LAST MINUTES CONTEXT HORIZON HIDDEN HEADS BATCH WINDOWS EPOCHS SEED

Steps without a row are filled with the one before for the peer, which cannot take them missing, and are not measured. pytorch-forecasting
keeps the weights of the epoch with the best validation loss, as platform does; neuralforecast those of the last step, which is all it can.
"""

import json
import logging
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import pandas as pd
import torch

QUANTILES = [0.1, 0.5, 0.9]
PEER, PANEL, TRAIN_LAST, FIRST, LAST = sys.argv[1:6]
MINUTES, CONTEXT, HORIZON, HIDDEN, HEADS, BATCH, WINDOWS, EPOCHS, SEED = map(int, sys.argv[6:15])


def read():
    """Rows with whole steps, filled, and the truth [series, step] with what is missing as NaN."""
    rows = pd.read_parquet(PANEL)
    unit = pd.Timedelta(minutes=MINUTES)
    origin = rows["ts"].min()
    number = lambda time: int((pd.Timestamp(time).tz_convert("UTC") - origin) // unit)
    rows["step"] = ((rows["ts"] - origin) // unit).astype(int)
    truth = rows.set_index(["series", "step"])["y"]
    filled = []
    for name, of in rows.groupby("series"):
        of = of.set_index("step").reindex(range(of["step"].min(), of["step"].max() + 1)).ffill().reset_index()
        filled.append(of.assign(series=name, ts=origin + of["step"] * unit))
    rows = pd.concat(filled, ignore_index=True)
    turn = lambda part, size: 2 * np.pi * part / size
    hour = rows["ts"].dt.hour + rows["ts"].dt.minute / 60
    rows["hour_sin"], rows["hour_cos"] = np.sin(turn(hour, 24)), np.cos(turn(hour, 24))
    day = rows["ts"].dt.dayofweek
    rows["weekday_sin"], rows["weekday_cos"] = np.sin(turn(day, 7)), np.cos(turn(day, 7))
    return rows, truth, number(TRAIN_LAST), number(FIRST), number(LAST)


KNOWN = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]


def pytorch_forecasting(rows, train_last, first, last):
    import lightning.pytorch as lightning
    from lightning.pytorch.callbacks import ModelCheckpoint
    from pytorch_forecasting import QuantileLoss, TemporalFusionTransformer, TimeSeriesDataSet
    from pytorch_forecasting.data import GroupNormalizer

    lightning.seed_everything(SEED, verbose=False)
    others = [name for name in rows.columns if name.startswith("x")]
    train = TimeSeriesDataSet(
        rows[rows["step"] <= train_last],
        time_idx="step",
        target="y",
        group_ids=["series"],
        min_encoder_length=CONTEXT,
        max_encoder_length=CONTEXT,
        min_prediction_length=HORIZON,
        max_prediction_length=HORIZON,
        static_categoricals=["series"],
        time_varying_known_reals=KNOWN,
        time_varying_unknown_reals=["y", *others],
        target_normalizer=GroupNormalizer(groups=["series"]),
    )
    seen = rows[rows["series"].isin(rows[rows["step"] <= train_last]["series"].unique())]
    seen = seen[(seen["step"] >= first - CONTEXT) & (seen["step"] <= last)]
    validation = TimeSeriesDataSet.from_dataset(train, seen, stop_randomization=True, min_prediction_idx=first)
    every = max(1, len(validation) // 2_000)
    some = torch.utils.data.Subset(validation, range(0, len(validation), every))
    model = TemporalFusionTransformer.from_dataset(
        train, hidden_size=HIDDEN, hidden_continuous_size=HIDDEN, attention_head_size=HEADS, dropout=0.1,
        loss=QuantileLoss(QUANTILES), output_size=len(QUANTILES), learning_rate=1e-3, log_interval=-1,
    )
    with tempfile.TemporaryDirectory() as folder:
        best = ModelCheckpoint(dirpath=folder, monitor="val_loss", mode="min")
        trainer = lightning.Trainer(
            max_epochs=EPOCHS, limit_train_batches=WINDOWS // EPOCHS // BATCH, accelerator="cpu", logger=False,
            enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, callbacks=[best],
        )
        batches = validation.to_dataloader(train=False, batch_size=256, num_workers=0)
        subset = torch.utils.data.DataLoader(some, batch_size=256, collate_fn=validation._collate_fn)
        trainer.fit(model, train.to_dataloader(train=True, batch_size=BATCH, num_workers=0), subset)
        model = TemporalFusionTransformer.load_from_checkpoint(best.best_model_path, weights_only=False)
    said = model.predict(
        batches, mode="quantiles", return_index=True,
        trainer_kwargs=dict(accelerator="cpu", logger=False, enable_progress_bar=False),
    )
    index = said.index
    return index["series"].to_numpy(), index["step"].to_numpy(), said.output.numpy()


def neuralforecast(rows, train_last, first, last):
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import TFT

    others = [name for name in rows.columns if name.startswith("x")]
    rows = rows[rows["step"] <= last]
    long = rows.groupby("series")["step"].agg(["min", "max"])
    long = long[(long["max"] == last) & (long["min"] <= first - 2 * (CONTEXT + HORIZON))].index
    frame = rows[rows["series"].isin(long)].rename(columns={"series": "unique_id", "step": "ds"})
    frame = frame[["unique_id", "ds", "y", *KNOWN, *others]]
    model = TFT(
        h=HORIZON, input_size=CONTEXT, hidden_size=HIDDEN, n_head=HEADS, futr_exog_list=KNOWN, hist_exog_list=others or None,
        loss=MQLoss(quantiles=QUANTILES), max_steps=WINDOWS // BATCH, batch_size=32, windows_batch_size=BATCH, scaler_type="robust",
        learning_rate=1e-3, val_check_steps=10**9, random_seed=SEED, accelerator="cpu", enable_progress_bar=False, logger=False,
        enable_checkpointing=False, inference_windows_batch_size=512,
    )
    said = NeuralForecast(models=[model], freq=1).cross_validation(
        frame, n_windows=None, test_size=last - first + 1, step_size=1, refit=False
    )
    columns = [name for name in said.columns if name.startswith("TFT")]
    assert len(columns) == len(QUANTILES), columns
    said = said.sort_values(["unique_id", "cutoff", "ds"])
    series = said["unique_id"].to_numpy()[::HORIZON]
    starts = said["cutoff"].to_numpy()[::HORIZON] + 1
    return series, starts, said[columns].to_numpy().reshape(-1, HORIZON, len(QUANTILES))


def main():
    torch.set_num_threads(2)
    rows, truth, train_last, first, last = read()
    series, starts, values = globals()[PEER](rows, train_last, first, last)
    keys = pd.MultiIndex.from_arrays([np.repeat(series, HORIZON), (starts[:, None] + np.arange(HORIZON)).ravel()])
    found = truth.reindex(keys).to_numpy()
    values = np.sort(values.reshape(-1, len(QUANTILES)), axis=1)
    known = ~np.isnan(found)
    found, values = found[known], values[known]
    error = found[:, None] - values
    losses = np.maximum(np.array(QUANTILES) * error, (np.array(QUANTILES) - 1) * error)
    risk = 2 * losses.sum(axis=0) / np.abs(found).sum()
    print(json.dumps(dict(weighted_quantile_loss=risk.mean(), mae=np.abs(error[:, 1]).mean(), rows=int(known.sum()))))


main()

"""Feast's get_historical_features on its DuckDB offline store, Parquet to Parquet: peer_feast.py SPINE GROUPS_DIR GROUPS OUT KEYS"""

import os
import sys
import tempfile
from datetime import timedelta

import pandas
from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, ValueType
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.types import Float64
import pyarrow.parquet

spine, folder, groups, out, name = sys.argv[1:6]
with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as scratch:
    config = RepoConfig(project="pit", provider="local", registry=f"{scratch}/registry.db", offline_store=DuckDBOfflineStoreConfig(),
                        online_store=SqliteOnlineStoreConfig(path=f"{scratch}/online.db"), entity_key_serialization_version=3)
    store = FeatureStore(config=config)
    entity = Entity(name=name, join_keys=[name], value_type=ValueType.INT64)
    views, features = [], []
    for group in range(int(groups)):
        file = f"{folder}/group{group}.parquet"
        columns = pyarrow.parquet.read_schema(file).names[2:]
        source = FileSource(name=f"source{group}", path=file, timestamp_field="event_time")
        # No row is too old: the data span ninety days.
        views.append(FeatureView(name=f"group{group}", entities=[entity], ttl=timedelta(days=365), source=source, online=False,
                                 schema=[Field(name=column, dtype=Float64) for column in columns]))
        features += [f"group{group}:{column}" for column in columns]
    store.apply([entity, *views])
    store.get_historical_features(pandas.read_parquet(spine), features).to_df().to_parquet(out, compression="zstd")

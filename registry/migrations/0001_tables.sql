-- What the platform remembers. README.md beside this folder has the picture.
--
-- Times are microseconds since 1970-01-01T00:00:00Z. Fingerprints and hashes are SHA-256 in 64 hexadecimal digits. Seeds are the bits of an
-- unsigned number. Paths are relative to the storage root.

create table definitions (
    id          integer primary key,
    kind        text    not null check (kind in ('feature_group', 'feature_view', 'pipeline')),
    name        text    not null,
    version     integer check (version >= 1),
    fingerprint text    not null check (length(fingerprint) = 64),
    text        text    not null,
    canonical   text    not null check (json_valid(canonical)),
    file        text    not null,
    applied_at  integer not null,
    check ((version is null) = (kind = 'pipeline'))
) strict;
create unique index definitions_by_reference on definitions (kind, name, version) where version is not null;
create index definitions_by_name on definitions (kind, name, id);

create trigger definitions_are_immutable before update on definitions
begin select raise(abort, 'an applied definition is immutable'); end;
create trigger definitions_are_kept before delete on definitions
begin select raise(abort, 'an applied definition is immutable'); end;

-- A token is never given twice, so that a holder that slept through the end of its lease cannot touch its successor's.
create table leases (
    token       integer primary key autoincrement,
    resource    text    not null unique,
    holder      text    not null,
    acquired_at integer not null,
    expires_at  integer not null
) strict;

create table ingestions (
    id               integer primary key,
    group_definition integer not null references definitions (id),
    ingest_id        integer not null check (ingest_id >= 1),
    delta_version    integer not null check (delta_version >= 0),
    content_hash     text    not null check (length(content_hash) = 64),
    sources          text    not null check (json_valid(sources)),
    mode             text    not null check (mode in ('upsert', 'append')),
    rows             integer not null check (rows >= 0),
    duplicates       integer not null check (duplicates >= 0),
    nan_nulls        integer not null check (nan_nulls >= 0),
    quarantined      integer not null check (quarantined >= 0),
    superseded       integer check (superseded >= 0),
    known_at         integer not null,
    min_event_time   integer,
    max_event_time   integer,
    started_at       integer not null,
    committed_at     integer not null,
    unique (group_definition, ingest_id)
) strict;
create index ingestions_by_content on ingestions (group_definition, content_hash);

create trigger ingestions_are_immutable before update on ingestions
begin select raise(abort, 'a recorded ingestion is immutable'); end;

create table datasets (
    id              integer primary key,
    view_definition integer not null references definitions (id),
    number          integer not null check (number >= 1),
    fingerprint     text    not null check (length(fingerprint) = 64),
    pins_key        text    not null check (length(pins_key) = 64),
    manifest_sha256 text    not null check (length(manifest_sha256) = 64),
    path            text    not null unique,
    rows            integer not null check (rows >= 0),
    part_rows       text    not null check (json_valid(part_rows)),
    seed            integer not null,
    software        text    not null check (json_valid(software)),
    created_at      integer not null,
    unique (view_definition, number),
    unique (id, view_definition)
) strict;
create index datasets_by_pins on datasets (view_definition, pins_key, number);

create trigger datasets_are_immutable before update on datasets
begin select raise(abort, 'a recorded dataset is immutable'); end;

create table dataset_groups (
    dataset          integer not null references datasets (id),
    group_definition integer not null references definitions (id),
    delta_version    integer not null check (delta_version >= 0),
    committed_at     integer not null,
    primary key (dataset, group_definition)
) strict, without rowid;
create index dataset_groups_by_group on dataset_groups (group_definition, delta_version);

create table dataset_ingestions (
    dataset   integer not null references datasets (id),
    ingestion integer not null references ingestions (id),
    primary key (dataset, ingestion)
) strict, without rowid;
create index dataset_ingestions_by_ingestion on dataset_ingestions (ingestion);

create table runs (
    id                  integer primary key autoincrement,
    pipeline_definition integer not null references definitions (id),
    view_definition     integer not null references definitions (id),
    dataset             integer not null,
    learner             text    not null,
    seed                integer not null,
    parameters          text    not null check (json_valid(parameters)),
    software            text    not null check (json_valid(software)),
    status              text    not null default 'running' check (status in ('running', 'registered', 'refused', 'failed')),
    holder              text    not null,
    started_at          integer not null,
    finished_at         integer,
    metrics             text    check (json_valid(metrics)),
    report              text    check (json_valid(report)),
    path                text,
    error               text,
    check ((finished_at is null) = (status = 'running')),
    foreign key (dataset, view_definition) references datasets (id, view_definition),
    unique (id, dataset)
) strict;
create index runs_by_pipeline on runs (pipeline_definition);
create index runs_by_dataset on runs (dataset, view_definition);
create index runs_running on runs (id) where status = 'running';

create table evaluations (
    id           integer primary key,
    run          integer not null references runs (id),
    part         text    not null,
    subject      text    not null,
    slice_column text,
    slice_value  text,
    metric       text    not null,
    value        real,
    rows         integer not null check (rows >= 0),
    check (slice_column is not null or slice_value is null)
) strict;
create index evaluations_by_run on evaluations (run, subject, metric, slice_column, part, value);

create table gate_checks (
    run      integer not null references runs (id),
    position integer not null,
    gate     text    not null,
    value    real,
    "limit"  text    not null,
    passed   integer not null check (passed in (0, 1)),
    detail   text    not null,
    primary key (run, position)
) strict, without rowid;

create table models (
    id         integer primary key,
    name       text    not null unique,
    created_at integer not null
) strict;

create table model_versions (
    id         integer primary key,
    model      integer not null references models (id),
    version    integer not null check (version >= 1),
    run        integer not null unique,
    dataset    integer not null references datasets (id),
    path       text    not null unique,
    signature  text    not null check (json_valid(signature)),
    card       text    not null,
    software   text    not null check (json_valid(software)),
    created_at integer not null,
    foreign key (run, dataset) references runs (id, dataset),
    unique (model, version),
    unique (id, model)
) strict;
create index model_versions_by_dataset on model_versions (dataset);
create index model_versions_by_run on model_versions (run, dataset);

create trigger model_versions_are_immutable before update on model_versions
begin select raise(abort, 'a registered model version is immutable'); end;

-- Nothing ungated is registered, whoever writes.
create trigger model_versions_are_gated before insert on model_versions
when exists (select 1 from gate_checks where run = new.run and not passed)
    or not exists (select 1 from runs where id = new.run and status = 'registered')
begin select raise(abort, 'a run that did not pass its gates cannot be registered'); end;

create table artefacts (
    model_version integer not null references model_versions (id),
    name          text    not null,
    sha256        text    not null check (length(sha256) = 64),
    bytes         integer not null check (bytes >= 0),
    primary key (model_version, name)
) strict, without rowid;

create trigger artefacts_are_immutable before update on artefacts
begin select raise(abort, 'a registered artefact is immutable'); end;

create table aliases (
    model         integer not null references models (id),
    alias         text    not null,
    model_version integer not null,
    primary key (model, alias),
    foreign key (model_version, model) references model_versions (id, model)
) strict, without rowid;
create index aliases_by_version on aliases (model_version, model);

create table alias_history (
    id           integer primary key,
    model        integer not null references models (id),
    alias        text    not null,
    from_version integer,
    to_version   integer,
    changed_by   text    not null,
    reason       text,
    changed_at   integer not null,
    foreign key (from_version, model) references model_versions (id, model),
    foreign key (to_version, model) references model_versions (id, model)
) strict;
create index alias_history_by_model on alias_history (model, alias, id);

create table reproductions (
    id            integer primary key,
    model_version integer not null references model_versions (id),
    passed        integer not null check (passed in (0, 1)),
    report        text    not null check (json_valid(report)),
    at            integer not null
) strict;
create index reproductions_by_version on reproductions (model_version, id);

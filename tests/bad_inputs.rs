//! Bad inputs through the binary: each is refused with exit code 1 and exactly the message that the snapshot holds.

use std::collections::BTreeSet;

use crate::sandbox::Sandbox;

/// What is wrong, and the command. Files that the command needs come before it, one per line: `NAME: text`, where `⏎` ends a line.
type Case<'a> = (&'a str, &'a str);

const CHANGING: [(&str, &str); 5] = [
    (
        r"20(26-(0[2-9]|1\d)|2[7-9]-\d\d|[3-9]\d-\d\d)-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?",
        "[time]",
    ),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "[uuid]",
    ),
    (r"\b[0-9a-f]{64}\b", "[sha256]"),
    (r"\b[0-9a-f]{12}\b", "[hash]"),
    (r"(?m)^training: .*\n", ""),
];

/// Stands in front of any exit code but 1.
const WRONG: &str = "exit code ";

fn check(name: &str, sandbox: &Sandbox, cases: &[Case<'_>]) {
    let titles: BTreeSet<&str> = cases.iter().map(|case| case.0).collect();
    assert_eq!(titles.len(), cases.len(), "a title twice");
    let messages: String = cases.iter().map(|case| message(sandbox, *case)).collect();
    insta::with_settings!({ filters => CHANGING, omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("bad_{name}"), messages);
    });
    assert!(
        !messages.contains(&format!("\n{WRONG}")),
        "not 1 everywhere: see the snapshot"
    );
}

fn message(sandbox: &Sandbox, (title, input): Case<'_>) -> String {
    let (files, line) = input.rsplit_once('\n').unwrap_or(("", input));
    for file in files.lines() {
        let (name, text) = file.trim_start().split_once(": ").unwrap();
        sandbox.write(name, &text.replace('⏎', "\n"));
    }
    let line = line.trim();
    let said = sandbox.run(line);
    let folder = sandbox.root().canonicalize().unwrap();
    let text = said.stderr.replace(folder.to_str().unwrap(), "[folder]");
    let text = text.replace(sandbox.root().to_str().unwrap(), "[folder]");
    let code = if said.code == 1 {
        String::new()
    } else {
        format!("{WRONG}{}\n", said.code)
    };
    format!("=== {title}\n{input}\n>>>\n{text}{code}\n")
}

const READINGS: &str = r#"name = "readings"
version = 1
entity = ["host"]
event_time = "ts"
[[features]]
name = "cpu"
type = "float64"
expect = { min = 0.0, max = 100.0, max_null_fraction = 0.5 }
[[features]]
name = "cores"
type = "int32"
[[features]]
name = "up"
type = "bool"
[[features]]
name = "bought"
type = "date"
"#;

/// One group of each kind, applied and empty.
fn groups() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", READINGS);
    let small = "[[features]]\nname = \"cpu\"\ntype = \"float64\"\n";
    let key = "version = 1\nentity = [\"host\"]\n";
    sandbox.write(
        "feature_groups/local.toml",
        &format!("name = \"local\"\n{key}event_time = \"ts\"\ntime_zone = \"America/New_York\"\n{small}"),
    );
    sandbox.write(
        "feature_groups/plain.toml",
        &format!("name = \"plain\"\n{key}event_time = \"ts\"\n{small}"),
    );
    sandbox.write(
        "feature_groups/plain.toml",
        &format!("name = \"plain\"\n{key}event_time = \"ts\"\n{small}"),
    );
    sandbox.write(
        "feature_groups/racks.toml",
        &format!("name = \"racks\"\n{key}static = true\n{small}"),
    );
    sandbox.write(
        "feature_groups/numbered.toml",
        &format!("name = \"numbered\"\nversion = 1\nentity = [{{ name = \"id\", type = \"int64\" }}]\nevent_time = \"ts\"\n{small}"),
    );
    sandbox.ok("apply");
    sandbox
}

#[test]
fn rows_of_csv_files_that_do_not_fit_are_refused() {
    let sandbox = groups();
    let rows = [
        (
            "text in a column of floats",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,fast,4,true,2025-01-01⏎",
        ),
        (
            "fraction in a column of whole numbers",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4.5,true,2025-01-01⏎",
        ),
        (
            "number beyond int32",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,3000000000,true,2025-01-01⏎",
        ),
        (
            "word that is no boolean",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,maybe,2025-01-01⏎",
        ),
        (
            "date that does not exist",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,true,2025-02-30⏎",
        ),
        (
            "key without a value",
            "host,ts,cpu,cores,up,bought⏎,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎",
        ),
        (
            "event time without a value",
            "host,ts,cpu,cores,up,bought⏎a,,5,4,true,2025-01-01⏎",
        ),
        (
            "time without a zone",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01 00:00:00,5,4,true,2025-01-01⏎",
        ),
        (
            "word that is no time",
            "host,ts,cpu,cores,up,bought⏎a,yesterday,5,4,true,2025-01-01⏎",
        ),
        (
            "time finer than a microsecond",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00.000000001Z,5,4,true,2025-01-01⏎",
        ),
        (
            "time in a year that does not fit",
            "host,ts,cpu,cores,up,bought⏎a,+400000-01-01T00:00:00Z,5,4,true,2025-01-01⏎",
        ),
        (
            "value above the largest expected",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,101,4,true,2025-01-01⏎",
        ),
        (
            "value below the smallest expected",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,-0.5,4,true,2025-01-01⏎",
        ),
        (
            "value that is infinite",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,inf,4,true,2025-01-01⏎",
        ),
        (
            "more empty values than expected",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,,4,true,2025-01-01⏎b,2026-01-01T00:00:00Z,,4,true,2025-01-01⏎c,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎",
        ),
        (
            "key and time twice with different values",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎b,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎a,2026-01-01T00:00:00Z,6,4,true,2025-01-01⏎",
        ),
        (
            "several mistakes at once",
            "host,ts,cpu,cores,up,bought⏎a,noon,fast,many,perhaps,someday⏎,2026-01-01T00:00:00Z,101,4,true,2025-01-01⏎",
        ),
        (
            "column that is not there",
            "host,ts,cpu,cores,up⏎a,2026-01-01T00:00:00Z,5,4,true⏎",
        ),
        (
            "column with another name",
            "hostname,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎",
        ),
        (
            "column twice",
            "host,ts,cpu,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,5,4,true,2025-01-01⏎",
        ),
        (
            "row with a cell too many",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,true,2025-01-01,9⏎",
        ),
        (
            "row with a cell too few",
            "host,ts,cpu,cores,up,bought⏎a,2026-01-01T00:00:00Z,5,4,true⏎",
        ),
        (
            "quote that is never closed",
            "host,ts,cpu,cores,up,bought⏎\"a,2026-01-01T00:00:00Z,5,4,true,2025-01-01⏎",
        ),
        ("file without anything", ""),
    ];
    let line = "featuregroup ingest readings --from rows.csv";
    let inputs: Vec<_> = rows
        .iter()
        .map(|(title, text)| (*title, format!("rows.csv: {text}\n{line}")))
        .collect();
    let cases: Vec<Case<'_>> = inputs.iter().map(|(title, input)| (*title, input.as_str())).collect();
    check("csv_rows", &sandbox, &cases);
    assert_eq!(
        sandbox.ok("query --csv 'select count(*) as n from readings'").stdout,
        "n\n0\n"
    );
}

#[test]
fn files_that_cannot_be_ingested_are_refused() {
    let sandbox = groups();
    let write = |name: &str, bytes: &[u8]| std::fs::write(sandbox.path(name), bytes).unwrap();
    write("cut.csv.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0xc8, 0x2f]);
    write("latin1.csv", b"host,ts,cpu\nK\xf6ln,2026-01-01T00:00:00Z,5\n");
    write("book.xlsx", b"PK\x03\x04 and so on");
    std::fs::create_dir(sandbox.path("folder.csv")).unwrap();
    let parquet = [
        (
            "text",
            "select 'a' as host, timestamp '2026-01-01T00:00:00Z' as ts, 'fast' as cpu",
        ),
        (
            "naive",
            "select 'a' as host, arrow_cast('2026-01-01T00:00:00', 'Timestamp(Microsecond, None)') as ts, 5.0 as cpu",
        ),
        (
            "fine",
            "select 'a' as host, arrow_cast(arrow_cast(1, 'Int64'), 'Timestamp(Nanosecond, Some(\"UTC\"))') as ts, 5.0 as cpu",
        ),
        ("short", "select 'a' as host, 5.0 as cpu"),
        (
            "keyless",
            "select cast(null as varchar) as host, arrow_cast('2026-01-01T00:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))') as ts, 5.0 as cpu",
        ),
    ];
    for (name, sql) in parquet {
        let said = sandbox.pipe(&format!("query - --to {name}.parquet"), sql.as_bytes());
        assert_eq!(said.code, 0, "{name}: {}", said.screen());
    }
    let cases = [
        ("file that is not there", "featuregroup ingest local --from nowhere.csv"),
        (
            "pattern that fits no file",
            "featuregroup ingest local --from 'nowhere/*.csv'",
        ),
        ("pattern that is none", "featuregroup ingest local --from 'data/[.csv'"),
        ("folder", "featuregroup ingest local --from folder.csv"),
        (
            "name that does not say the format",
            "rows.dat: host,ts,cpu\nfeaturegroup ingest local --from rows.dat",
        ),
        ("spreadsheet", "featuregroup ingest local --from book.xlsx"),
        (
            "format that does not exist",
            "featuregroup ingest local --from rows.dat --format excel",
        ),
        ("gzip that ends early", "featuregroup ingest local --from cut.csv.gz"),
        (
            "letters that are not UTF-8",
            "featuregroup ingest local --from latin1.csv",
        ),
        (
            "CSV that calls itself Parquet",
            "rows.parquet: host,ts,cpu⏎\nfeaturegroup ingest local --from rows.parquet",
        ),
        (
            "JSON that is none",
            "rows.jsonl: {\"host\": \"a\", \"ts\": \"2026-01-01T00:00:00Z\", \"cpu\": 5}⏎{\"host\": ⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "JSON line that is no object",
            "rows.jsonl: [1, 2]⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "JSON text for a number",
            "rows.jsonl: {\"host\": \"a\", \"ts\": \"2026-01-01T00:00:00Z\", \"cpu\": \"fast\"}⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "JSON number for a text",
            "rows.jsonl: {\"host\": 7, \"ts\": \"2026-01-01T00:00:00Z\", \"cpu\": 5}⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "JSON object for a number",
            "rows.jsonl: {\"host\": \"a\", \"ts\": \"2026-01-01T00:00:00Z\", \"cpu\": {}}⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "JSON without the key",
            "rows.jsonl: {\"ts\": \"2026-01-01T00:00:00Z\", \"cpu\": 5}⏎\nfeaturegroup ingest local --from rows.jsonl",
        ),
        (
            "Parquet text for a number",
            "featuregroup ingest local --from text.parquet",
        ),
        (
            "Parquet times without a zone",
            "featuregroup ingest plain --from naive.parquet",
        ),
        (
            "Parquet times finer than a microsecond",
            "featuregroup ingest local --from fine.parquet",
        ),
        (
            "Parquet without a column",
            "featuregroup ingest local --from short.parquet",
        ),
        (
            "Parquet with a NULL key",
            "featuregroup ingest local --from keyless.parquet",
        ),
        (
            "local time that the clocks skipped",
            "rows.csv: host,ts,cpu⏎a,2025-03-09 02:30:00,5⏎\nfeaturegroup ingest local --from rows.csv",
        ),
        (
            "local time that the clocks showed twice",
            "rows.csv: host,ts,cpu⏎a,2025-11-02 01:30:00,5⏎\nfeaturegroup ingest local --from rows.csv",
        ),
        (
            "key twice in a static group",
            "rows.csv: host,cpu⏎a,5⏎a,6⏎\nfeaturegroup ingest racks --from rows.csv",
        ),
        (
            "text for a key of whole numbers",
            "rows.csv: id,ts,cpu⏎x7,2026-01-01T00:00:00Z,5⏎\nfeaturegroup ingest numbered --from rows.csv",
        ),
        (
            "good file beside a bad one",
            "good.csv: host,ts,cpu⏎a,2026-01-01T00:00:00Z,5⏎\nfeaturegroup ingest local --from good.csv rows.csv",
        ),
        ("nothing to read from", "featuregroup ingest local"),
    ];
    check("files", &sandbox, &cases);
    assert_eq!(
        sandbox.ok("query --csv 'select count(*) as n from local'").stdout,
        "n\n0\n"
    );
}

#[test]
fn questions_that_cannot_be_answered_are_refused() {
    let sandbox = groups();
    sandbox.write("rows.csv", "host,ts,cpu\na,2026-01-01T00:00:00Z,5\n");
    sandbox.ok("featuregroup ingest local --from rows.csv");
    let cases = [
        ("no SQL", "query 'selec 1'"),
        ("nothing", "query ''"),
        ("two statements", "query 'select 1; select 2'"),
        ("group that does not exist", "query 'select * from locla'"),
        ("version that does not exist", "query 'select * from \"local:v7\"'"),
        ("column that does not exist", "query 'select cpus from local'"),
        ("function that does not exist", "query 'select averag(cpu) from local'"),
        (
            "time travel beyond the newest version",
            "query \"select * from at('local:v1', 99)\"",
        ),
        (
            "time travel to before the group",
            "query \"select * from at('local:v1', '2020-01-01T00:00:00Z')\"",
        ),
        (
            "time travel to no time",
            "query \"select * from at('local:v1', 'yesterday')\"",
        ),
        (
            "time travel of an unknown group",
            "query \"select * from at('nothing', 1)\"",
        ),
        ("division by zero", "query 'select 1 / 0'"),
        ("inserting", "query \"insert into plain values ('b', null, 1.0)\""),
        ("deleting", "query 'delete from local'"),
        ("updating", "query 'update local set cpu = 0'"),
        ("dropping", "query 'drop table local'"),
        ("creating", "query 'create table t as select 1'"),
        (
            "creating a table of a file",
            "query \"create external table t stored as csv location '/etc/passwd'\"",
        ),
        ("copying out", "query \"copy (select 1) to 'out.csv'\""),
        ("setting", "query 'set datafusion.execution.batch_size = 1'"),
        ("file as a table", "query \"select * from '/etc/passwd'\""),
        (
            "name of a file that says no format",
            "query --to out.xlsx 'select 1 as one'",
        ),
        ("two ways to print", "query --csv --json 'select 1'"),
    ];
    check("questions", &sandbox, &cases);
    assert_eq!(
        sandbox.ok("query --csv 'select count(*) as n from local'").stdout,
        "n\n1\n"
    );
}

const DEFINITIONS: [Case<'_>; 17] = [
    (
        "group changed under its version",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 1⏎entity = [\"host\"]⏎static = true⏎[[features]]⏎name = \"watts\"⏎type = \"float64\"⏎\nplan",
    ),
    ("apply of a group changed under its version", "apply"),
    ("no TOML", "feature_groups/racks.toml: name = ⏎\nplan"),
    (
        "unknown key",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entitty = [\"host\"]⏎static = true⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "unknown type",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎static = true⏎[[features]]⏎name = \"cpu\"⏎type = \"float\"⏎\nplan",
    ),
    (
        "no event time",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "key that is a float",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [{ name = \"host\", type = \"float64\" }]⏎static = true⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "two definitions of one version",
        "feature_groups/racks.toml: name = \"local\"⏎version = 1⏎entity = [\"host\"]⏎static = true⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "kind that is not supported yet",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎event_time = \"ts\"⏎[derive]⏎from = [\"local:v1\"]⏎[[features]]⏎name = \"cpu\"⏎of = \"cpu\"⏎type = \"float64\"⏎expect = { min = 0, on_violation = \"quarantine\" }⏎\napply",
    ),
    (
        "query that asks the clock",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎event_time = \"ts\"⏎[derive]⏎from = [\"local:v1\"]⏎lookback = \"1h\"⏎sql = \"select host, now() as ts, cpu from local\"⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "query without a column of the group",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎event_time = \"ts\"⏎[derive]⏎from = [\"local:v1\"]⏎lookback = \"1h\"⏎sql = \"select host, ts, cpu as cpu_now from local\"⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "query of an unknown group",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎event_time = \"ts\"⏎[derive]⏎from = [\"local:v1\"]⏎lookback = \"1h\"⏎sql = \"select host, ts, cpu from lokal\"⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nplan",
    ),
    (
        "view of an unknown group",
        "feature_groups/racks.toml: name = \"racks\"⏎version = 2⏎entity = [\"host\"]⏎static = true⏎[[features]]⏎name = \"cpu\"⏎type = \"float64\"⏎\nfeature_views/v.toml: name = \"v\"⏎version = 1⏎[labels]⏎group = \"locals:v1\"⏎columns = [\"cpu\"]⏎[[features]]⏎group = \"racks:v2\"⏎columns = [\"cpu\"]⏎\nplan",
    ),
    (
        "view of an unknown column",
        "feature_views/v.toml: name = \"v\"⏎version = 1⏎[labels]⏎group = \"local:v1\"⏎columns = [\"cpus\"]⏎[[features]]⏎group = \"readings:v1\"⏎columns = [\"cores\"]⏎\nplan",
    ),
    (
        "view whose columns clash",
        "feature_views/v.toml: name = \"v\"⏎version = 1⏎[labels]⏎group = \"local:v1\"⏎columns = [\"cpu\"]⏎[[features]]⏎group = \"readings:v1\"⏎columns = [\"cpu\"]⏎\nplan",
    ),
    (
        "pipeline of an unknown view",
        "feature_views/v.toml: name = \"v\"⏎version = 1⏎[labels]⏎group = \"local:v1\"⏎columns = [\"cpu\"]⏎[[features]]⏎group = \"readings:v1\"⏎columns = [\"cores\"]⏎\npipelines/p.toml: name = \"p\"⏎view = \"w:v1\"⏎model = \"m\"⏎[train]⏎learner = \"lightgbm\"⏎[evaluate]⏎metrics = [\"mae\"]⏎\nplan",
    ),
    (
        "pipeline with an unknown metric",
        "pipelines/p.toml: name = \"p\"⏎view = \"v:v1\"⏎model = \"m\"⏎[train]⏎learner = \"lightgbm\"⏎[evaluate]⏎metrics = [\"mea\"]⏎\nplan",
    ),
];

#[test]
fn definitions_that_do_not_hold_together_are_refused() {
    check("definitions", &groups(), &DEFINITIONS);
}

#[test]
fn settings_that_cannot_be_followed_are_refused() {
    let sandbox = Sandbox::empty();
    let cases = [
        ("no repository", "plan"),
        ("no TOML", "platform.toml: [storage⏎\nplan"),
        ("unknown table", "platform.toml: [storge]⏎root = \"a\"⏎\nplan"),
        ("unknown key", "platform.toml: [storage]⏎path = \"a\"⏎\nplan"),
        ("wrong type", "platform.toml: [storage]⏎root = 7⏎\nplan"),
        (
            "storage that is not supported yet",
            "platform.toml: [storage]⏎root = \"s3://bucket/store\"⏎\nplan",
        ),
        (
            "registry that is not supported yet",
            "platform.toml: [registry]⏎url = \"postgres://localhost/registry\"⏎\nplan",
        ),
        ("repository that is not there", "--repository nowhere plan"),
        ("unknown command", "featurgroup list"),
        ("unknown option", "plan --quick"),
        ("no threads", "plan --threads 0"),
        ("duration that is none", "gc --grace soon"),
        ("fleet without hosts", "simulate fleet --out data --hosts 0"),
        ("init over a repository", "init ."),
        (
            "memory that is no amount",
            "platform.toml: [engine]⏎memory = \"lots\"⏎\nplan",
        ),
        (
            "memory that is too little",
            "platform.toml: [engine]⏎memory = \"1MB\"⏎\nplan",
        ),
        ("memory without a unit", "dataset create cpu_fv:v1 --memory 512"),
        (
            "init for a file, in a time zone that does not exist",
            "mine.csv: host,ts,cpu⏎a,2026-01-01 00:00:00,5⏎\ninit mine --from mine.csv --entity host --time ts --target cpu --time-zone Europe/Berln",
        ),
        (
            "init for a file, with a key that is named twice",
            "init mine --from mine.csv --entity host,host --time ts --target cpu --time-zone UTC",
        ),
        (
            "init for a file, without a key",
            "init mine --from mine.csv --time ts --target cpu --time-zone UTC",
        ),
    ];
    check("settings", &sandbox, &cases);
}

/// A registered model of a tiny repository.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    let key = "version = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n";
    sandbox.write(
        "feature_groups/metrics.toml",
        &format!("name = \"metrics\"\n{key}[[features]]\nname = \"cpu\"\ntype = \"float64\"\n[[features]]\nname = \"rack\"\ntype = \"utf8\"\n"),
    );
    sandbox.write(
        "feature_groups/labels.toml",
        &format!("name = \"labels\"\n{key}[[features]]\nname = \"y\"\ntype = \"float64\"\nhorizon = \"10m\"\n"),
    );
    sandbox.write(
        "feature_views/view.toml",
        "name = \"view\"\nversion = 1\n[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\n\
         columns = [\"cpu\", \"rack\"]\n[split]\nstrategy = \"time\"\nvalidation = 0.2\ntest = 0.2\n",
    );
    let pipeline = |name: &str, gate: &str| {
        format!(
            "name = \"{name}\"\nview = \"view:v1\"\nmodel = \"model\"\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\nrounds = 2\n\
             min_data_in_leaf = 2\n[evaluate]\nmetrics = [\"mae\"]\nbaselines = [\"mean\"]\n[gate]\nmae = {{ max = {gate} }}\n"
        )
    };
    sandbox.write("pipelines/easy.toml", &pipeline("easy", "1000.0"));
    sandbox.write("pipelines/hard.toml", &pipeline("hard", "0.0"));
    let rows = |name: &str, further: &str| {
        let row = |at: i32| format!("a,2026-01-01T{:02}:{:02}:00Z,{}{further}\n", at / 60, at % 60, at % 7);
        (0..240).map(row).fold(name.to_owned(), |text, row| text + &row)
    };
    sandbox.write("metrics.csv", &rows("host,ts,cpu,rack\n", ",r1"));
    sandbox.write("labels.csv", &rows("host,ts,y\n", ""));
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest metrics --from metrics.csv");
    sandbox.ok("featuregroup ingest labels --from labels.csv");
    sandbox.ok("train --view view --pipeline easy");
    sandbox.ok("registry alias set model@champion v1");
    sandbox.ok("dataset export view:v1/1 --to exported --format csv");
    sandbox
}

#[test]
fn references_to_what_is_not_there_are_refused() {
    let sandbox = trained();
    let cases = [
        ("group with a slip", "featuregroup show metric"),
        ("group without resemblance", "featuregroup stats quarterly_profit"),
        ("version of a group", "featuregroup history metrics:v9"),
        ("reference of a group that is none", "featuregroup show metrics:1"),
        (
            "ingesting into nothing",
            "featuregroup ingest metric --from metrics.csv",
        ),
        ("compacting nothing", "featuregroup compact metric"),
        ("view", "featureview show veiw"),
        ("view to create", "featureview create views"),
        ("version of a view", "dataset create view:v4"),
        ("view of a dataset", "dataset create veiw"),
        ("number of a dataset", "dataset show view:v1/8"),
        ("number of a dataset to export", "dataset export view:v1/8 --to other"),
        ("dataset to compare with", "dataset diff view:v1/1 view:v1/2"),
        ("reference of a dataset that is none", "dataset verify view:1/x"),
        ("view to train on", "train --view veiw"),
        ("dataset to train on", "train --view view --pipeline easy --dataset 9"),
        ("pipeline", "train --view view --pipeline easi"),
        ("pipeline that has to be chosen", "train --view view"),
        ("learner", "train --view view --pipeline easy --learner forest"),
        ("run", "run show 77"),
        ("run that is no number", "run show first"),
        ("run to compare with", "run compare 1 77"),
        ("model with a slip", "registry show modle"),
        ("version of a model", "registry show model:v3"),
        ("alias", "registry show model@challenger"),
        ("card", "registry card nothing"),
        ("lineage of nothing", "registry lineage"),
        ("lineage of an unknown group", "registry lineage --group metric"),
        ("pull of an unknown version", "registry pull model:v3 --to pulled"),
        ("pull over files", "metrics/x: x\nregistry pull model:v1 --to metrics"),
        ("metric to search for", "registry search --metric 'mae~3'"),
        ("model to reproduce", "reproduce model:v3"),
        (
            "alias to a version that does not exist",
            "registry alias set model@champion v3",
        ),
        ("alias without a model", "registry alias set champion v1"),
        (
            "alias with a name that is none",
            "registry alias set model@Champion! v1",
        ),
        (
            "alias that points elsewhere",
            "registry alias set model@champion v1 --expect v2",
        ),
        (
            "alias that is there already",
            "registry alias set model@champion v1 --expect none",
        ),
        (
            "alias to remove that points elsewhere",
            "registry alias remove model@champion --expect v2",
        ),
        (
            "alias to remove that is not there",
            "registry alias remove model@challenger --expect v1",
        ),
        (
            "alias with no expectation",
            "registry alias set model@champion v1 --expect newest",
        ),
    ];
    check("references", &sandbox, &cases);
}

#[test]
fn datasets_gates_and_predictions_that_cannot_be_are_refused() {
    let sandbox = trained();
    let cases = [
        ("time that is none", "dataset create view --from monday"),
        ("time without a zone", "dataset create view --from 2026-01-01T00:00:00"),
        (
            "end before the start",
            "dataset create view --from 2026-01-02 --to 2026-01-01",
        ),
        ("too few rows to split", "dataset create view --to 2026-01-01T00:05:00Z"),
        ("format to export", "dataset export view:v1/1 --to other --format excel"),
        (
            "export over files",
            "dataset export view:v1/1 --to exported --format csv",
        ),
        ("gate that says no", "train --view view --pipeline hard --dataset 1"),
        (
            "view changed under its version",
            "feature_views/view.toml: name = \"view\"⏎version = 1⏎[labels]⏎group = \"labels:v1\"⏎columns = [\"y\"]⏎[[features]]⏎group = \"metrics:v1\"⏎columns = [\"cpu\"]⏎[split]⏎strategy = \"time\"⏎test = 0.2⏎\napply",
        ),
        (
            "input that is not there",
            "rows.csv: host,ts,cpu⏎a,2026-01-01T00:00:00Z,5⏎\npredict model --from rows.csv --to p.csv",
        ),
        (
            "every input missing",
            "rows.csv: a,b⏎1,2⏎\npredict model --from rows.csv --to p.csv",
        ),
        (
            "text for a number",
            "rows.csv: host,ts,cpu,rack⏎a,2026-01-01T00:00:00Z,fast,r1⏎\npredict model --from rows.csv --to p.csv",
        ),
        (
            "entities without a time",
            "rows.csv: host⏎a⏎\npredict model --entities rows.csv --to p.csv",
        ),
        (
            "entities without a key",
            "rows.csv: ts⏎2026-01-01T00:00:00Z⏎\npredict model --entities rows.csv --to p.csv",
        ),
        (
            "entities at times without a zone",
            "rows.csv: host,ts⏎a,2026-01-01 00:00:00⏎\npredict model --entities rows.csv --to p.csv",
        ),
        ("no rows and no entities", "predict model --to p.csv"),
        (
            "both rows and entities",
            "predict model --from rows.csv --entities rows.csv --to p.csv",
        ),
        ("rows that are not there", "predict model --from nowhere.csv --to p.csv"),
        (
            "predictions in a format that does not exist",
            "predict model --from exported/test.csv --to p.xlsx",
        ),
        ("unknown model", "predict modle --from exported/test.csv --to p.csv"),
        (
            "unknown alias",
            "predict model@champ --from exported/test.csv --to p.csv",
        ),
    ];
    check("datasets_and_predictions", &sandbox, &cases);
}

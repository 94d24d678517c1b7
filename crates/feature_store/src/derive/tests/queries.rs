//! Groups that are derived by a query.

use proptest::prelude::*;

use super::super::{Extent, Materialized, check_query};
use super::{Bench, SOURCE, text};

/// A group that is derived by a query, which looks back so far.
fn queried(name: &str, lookback: &str, sql: &str, features: &[(&str, &str)]) -> String {
    let head = format!("name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n");
    let derive = format!("[derive]\nfrom = [\"m:v1\"]\nlookback = \"{lookback}\"\nsql = \"{sql}\"\n");
    let feature = |(name, rest): &(&str, &str)| format!("[[features]]\nname = \"{name}\"\n{rest}\n");
    head + &derive + &features.iter().map(feature).collect::<String>()
}

const OVER_TEN: &str = "select host, ts, max(cpu) over (partition by host order by ts range between interval '10 minutes' preceding and \
                        current row) as top, count(*) over (partition by ts) as hosts from m";
const OF_OVER_TEN: [(&str, &str); 2] = [("top", "type = \"float64\""), ("hosts", "type = \"int64\"")];

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn whatever_batches_come_a_query_gives_what_it_gives_for_all_rows(
        batches in prop::collection::vec(prop::collection::vec((0_u8..4, 0_u16..90, prop::option::of(0_u8..50)), 1..40), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let queried = |name| queried(name, "10m", OVER_TEN, &OF_OVER_TEN);
            let mut bench = Bench::new(&[SOURCE, &queried("q"), &queried("whole")]).await;
            for batch in &batches {
                bench.ingest(&text(batch)).await;
                bench.materialize("q", Extent::New).await.unwrap();
                let asked = bench.select(&format!("select * from ({OVER_TEN}) order by host, ts")).await;
                assert_eq!(bench.rows("q").await, crate::tests::lines(&[asked]));
            }
            bench.materialize("whole", Extent::New).await.unwrap();
            let known = |name: &str| {
                format!("select host, ts, max(__known_at) from \"{name}:v1$all\" group by host, ts order by host, ts")
            };
            let (part, whole) = (bench.select(&known("q")).await, bench.select(&known("whole")).await);
            assert_eq!(crate::tests::lines(&[part]), crate::tests::lines(&[whole]));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_computes_again_what_new_rows_touch_and_nothing_else() {
    let mut bench = Bench::new(&[SOURCE, &queried("q", "10m", OVER_TEN, &OF_OVER_TEN)]).await;
    let rows = |minutes: std::ops::Range<u32>| -> String {
        minutes
            .map(|minute| format!("a,2026-01-01T00:{minute:02}:00Z,{minute},x\n"))
            .collect()
    };
    bench.ingest(&rows(0..40)).await;
    assert!(matches!(
        bench.materialize("q", Extent::New).await.unwrap(),
        Materialized::Full(_)
    ));
    assert_eq!(
        bench.materialize("q", Extent::New).await.unwrap(),
        Materialized::UpToDate
    );
    bench.ingest("a,2026-01-01T00:05:00Z,99,x\n").await;
    let Materialized::Part(part) = bench.materialize("q", Extent::New).await.unwrap() else {
        panic!("not a part")
    };
    // Minutes 5 to 15, both ends included.
    assert_eq!(part.rows, 11);
}

/// What a query is refused for, over minutes 0 to 29 of two hosts and then a change.
async fn refusal(lookback: &str, sql: &str, change: &str) -> String {
    let mut bench = Bench::new(&[SOURCE, &queried("q", lookback, sql, &[("x", "type = \"float64\"")])]).await;
    let line = |minute: u32| {
        format!(
            "a,2026-01-01T00:{minute:02}:00Z,{minute},x\nb,2026-01-01T00:{minute:02}:00Z,{},x\n",
            60 - minute
        )
    };
    bench.ingest(&(0..30).map(line).collect::<String>()).await;
    let first = bench.materialize("q", Extent::New).await;
    let error = match first {
        Err(error) => error,
        Ok(_) => {
            bench.ingest(change).await;
            bench.materialize("q", Extent::New).await.unwrap_err()
        }
    };
    assert!(error.hint().is_some());
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_that_does_not_give_the_groups_rows_is_refused() {
    let window = |frame: &str| {
        format!("select host, ts, max(cpu) over (partition by host order by ts range between {frame}) as x from m")
    };
    // One looks back too far, one ahead.
    for frame in [
        "interval '20 minutes' preceding and current row",
        "current row and interval '5 minutes' following",
    ] {
        let said = refusal("5m", &window(frame), "").await;
        let (what, seen) = said.split_once(" when ").unwrap();
        assert!(
            what.starts_with("the query of `q:v1` gives other values of `x` at 2026-01-01T00:"),
            "{what}"
        );
        assert_eq!(
            seen,
            "it sees nothing but the rows from 5m before that time to 0s after it"
        );
    }
    crate::tests::check(
        &refusal(
            "5m",
            "select host, date_trunc('minute', ts) as ts, cpu as x from m union all select host, ts, cpu from m",
            "",
        )
        .await,
        "the query of `q:v1` gives two rows with host = a, ts = 2026-01-01T00:00:00Z",
    );
    crate::tests::check(
        &refusal(
            "5m",
            "select host, case when cpu < 7 then null else ts end as ts, cpu as x from m",
            "",
        )
        .await,
        "the query of `q:v1` gives a row without `ts`: host = a, ts = NULL",
    );
    crate::tests::check(
        &refusal(
            "5m",
            "select host, ts, cpu as x from m where cpu < 50",
            "a,2026-01-01T00:07:00Z,70,x\n",
        )
        .await,
        "the query of `q:v1` gives no row with host = a, ts = 2026-01-01T00:07:00Z, where it once gave one",
    );
}

#[tokio::test]
async fn query_whose_columns_are_not_the_groups_is_refused() {
    let refused = async |sql: &str| {
        let bench = Bench::new(&[SOURCE, &queried("q", "5m", sql, &[("x", "type = \"float64\"")])]).await;
        let error = check_query(&bench.groups["q"], &[bench.groups["m"].clone()])
            .await
            .unwrap_err();
        format!("{error}\nhint: {}", error.hint().unwrap())
    };
    assert_eq!(
        refused("select host, ts, cpu from m").await,
        "the query of `q:v1` gives no column `x`: found `host`, `ts`, `cpu`\nhint: select …, … as x"
    );
    assert_eq!(
        refused("select host, ts, disk as x from m").await,
        "the query of `q:v1` gives another type of `x`: wanted Float64, found Utf8\nhint: select …, arrow_cast(x, 'Float64') as x"
    );
    assert_eq!(
        refused("select host, ts, cpu as x, disk from m").await,
        "the query of `q:v1` gives a column `disk` that the group does not declare\n\
         hint: [[features]] name = \"disk\", or leave it out of the query"
    );
    assert!(
        refused("select host, now() as ts, cpu as x from m")
            .await
            .starts_with("a derived group must give the same rows each time: `now()`")
    );
}

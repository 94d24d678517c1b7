//! Time zones, changes of clocks, and precision.

use super::{Bench, check, metrics, said};

async fn read(more: &str, time: &str) -> Result<String, String> {
    let bench = Bench::new(metrics(more)).await;
    match bench.ingest("m.csv", format!("host,ts,cpu\na,{time},1\n")).await {
        Ok(_) => Ok(bench.rows().await.split(' ').nth(1).unwrap().to_owned()),
        Err(error) => {
            let hint = error.hint().unwrap();
            let text = said(&bench, &error);
            Err(format!("{} hint: {hint}", text.lines().nth(1).unwrap().trim()))
        }
    }
}

#[tokio::test]
async fn naive_times_need_a_time_zone() {
    check(
        &(read("", "2026-01-01 12:00:00").await.unwrap_err() + "\n"),
        "m.csv:2: `ts` is `2026-01-01 12:00:00`: a time without a zone, and the group has no `time_zone` hint: say in which zone such times are: time_zone = \"UTC\"",
    );
    let zone = "time_zone = \"America/New_York\"";
    assert_eq!(read(zone, "2026-01-01 12:00:00").await.unwrap(), "2026-01-01T17:00:00Z");
    assert_eq!(read(zone, "2026-07-01T12:00").await.unwrap(), "2026-07-01T16:00:00Z");
    assert_eq!(read(zone, "2026-07-01").await.unwrap(), "2026-07-01T04:00:00Z");
    assert_eq!(
        read(zone, "2026-01-01T12:00:00+01:00").await.unwrap(),
        "2026-01-01T11:00:00Z"
    );
    assert_eq!(
        read("", "2026-01-01 12:00:00 UTC").await.unwrap(),
        "2026-01-01T12:00:00Z"
    );
    assert_eq!(
        read("", "1969-12-31T23:59:59.999999-0030").await.unwrap(),
        "1970-01-01T00:29:59.999999Z"
    );
}

#[tokio::test]
async fn times_that_were_twice_or_never_are_refused_unless_the_definition_chooses() {
    let zone = "time_zone = \"America/New_York\"";
    let twice = "2013-11-03 01:30:00";
    let never = "2013-03-10 02:30:00";
    let refused = read(zone, twice).await.unwrap_err();
    assert!(
        refused.contains("this time was twice in America/New_York: the clocks went back"),
        "{refused}"
    );
    assert!(refused.contains("ambiguous = \"earliest\""), "{refused}");
    let refused = read(zone, never).await.unwrap_err();
    assert!(
        refused.contains("this time never was in America/New_York: the clocks went forward"),
        "{refused}"
    );
    let (earliest, latest) = (
        format!("{zone}\nambiguous = \"earliest\""),
        format!("{zone}\nambiguous = \"latest\""),
    );
    assert_eq!(read(&earliest, twice).await.unwrap(), "2013-11-03T05:30:00Z");
    assert_eq!(read(&latest, twice).await.unwrap(), "2013-11-03T06:30:00Z");
    assert_eq!(read(&earliest, never).await.unwrap(), "2013-03-10T06:30:00Z");
    assert_eq!(read(&latest, never).await.unwrap(), "2013-03-10T07:30:00Z");
}

#[tokio::test]
async fn times_finer_than_a_microsecond_are_refused_unless_cut() {
    let time = "2026-01-01T00:00:00.1234567Z";
    assert!(read("", time).await.unwrap_err().contains("finer than a microsecond"));
    assert_eq!(
        read("truncate = true", time).await.unwrap(),
        "2026-01-01T00:00:00.123456Z"
    );
    assert_eq!(
        read("", "2026-01-01T00:00:00.123456000000Z").await.unwrap(),
        "2026-01-01T00:00:00.123456Z"
    );
    assert!(read("", "2026-01-01T00:00:00.1234560000001Z").await.is_err());
}

#[tokio::test]
async fn texts_that_are_no_times_are_refused() {
    for text in [
        "2026-13-01T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00Q",
        "01/02/2026",
        "2026-01-01T00:00:00+99:00",
    ] {
        let refused = read("", text).await.unwrap_err();
        assert!(refused.contains("not a timestamp"), "{text}: {refused}");
    }
}

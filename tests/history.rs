//! The past of a row: its revisions, their periods, and who set what.

use crate::sandbox::Sandbox;
use crate::screens::{check, screens};

const PRICES: &str = r#"name = "prices"
version = 1
entity = ["shop", { name = "article", type = "int64" }]
event_time = "ts"
history = "scd2"

[[features]]
name = "price"
type = "float64"

[[features]]
name = "currency"
type = "utf8"
"#;

const HEADER: &str = "shop,article,ts,price,currency\n";

#[test]
fn every_value_has_a_revision_a_file_and_a_line() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/prices.toml", PRICES);
    sandbox.write(
        "first.csv",
        &format!("{HEADER}north,7,2026-01-01T00:00:00Z,10,EUR\nsouth,7,2026-01-01T00:00:00Z,11,EUR\n"),
    );
    sandbox.write("second.csv", &format!("{HEADER}south,7,2026-01-01T00:00:00Z,12,EUR\n"));
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest prices --from first.csv");
    sandbox.ok("featuregroup ingest prices --from second.csv");
    std::fs::remove_file(sandbox.path("second.csv")).unwrap();
    let lines = [
        "featuregroup blame prices --entity shop=south article=7 --time 2026-01-01",
        "featuregroup blame prices --entity shop=north article=7",
        "featuregroup blame prices --entity shop=south article=7 --json",
        "featuregroup blame prices --entity south",
        "featuregroup blame prices --entity shop=south article=seven",
        "featuregroup blame prices --entity shop=south article=8",
        "query 'select shop, price, valid_from, valid_to from \"prices:v1$history\" order by shop, price'",
    ];
    check("history", &screens(&sandbox, &lines));
}

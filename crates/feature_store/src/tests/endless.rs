//! Records that do not end, and files that are no text.

use std::io::Write;

use super::{Bench, check, metrics, said};
use crate::StoreError;

/// What is said of a file, also under quarantine; nothing of it is ingested.
async fn refused(name: &str, content: &[u8]) -> (String, String) {
    let bench = Bench::new(metrics("on_violation = \"quarantine\"")).await;
    let error = bench.ingest(name, content).await.unwrap_err();
    assert!(bench.pin().await.files.is_empty());
    assert!(bench.parquet_files().is_empty());
    let hint = error.hint().unwrap_or_default();
    (
        said(&bench, &error),
        hint.replace(&format!("{}/", bench.folder.path().display()), ""),
    )
}

#[tokio::test]
async fn quote_that_is_never_closed_refuses_the_file() {
    for end in ["", "\n", "\r\n"] {
        let text =
            format!("host,ts,cpu\na,2026-01-01T00:00:00Z,1\n\"b,2026-01-01T00:00:00Z,1\nc,2026-01-01T00:00:00Z,1{end}");
        let (said, hint) = refused("m.csv", text.as_bytes()).await;
        assert_eq!(
            said,
            "`m.csv` (line 3): wanted a record that ends, found the end of the file inside a quote"
        );
        assert!(hint.contains("quote"), "{hint}");
    }
    let (said, _) = refused("m.csv", b"host,ts,\"cpu\n").await;
    assert!(
        said.starts_with("`m.csv` (line 1): wanted a record that ends"),
        "{said}"
    );
}

#[tokio::test]
async fn record_longer_than_the_limit_refuses_the_file() {
    let rows = "c,2026-01-01T00:00:00Z,1\n".repeat(300_000);
    let text = format!("host,ts,cpu\n\"b,2026-01-01T00:00:00Z,1\n{rows}");
    let (said, hint) = refused("m.csv", text.as_bytes()).await;
    assert_eq!(
        said,
        "`m.csv` (line 2): wanted a record that ends, found one that is not over after 4 MiB"
    );
    assert!(hint.contains("quote"), "{hint}");
    let line = format!("{{\"host\":\"a\"}}\n{{\"host\":\"{}\"}}\n", "x".repeat(5 << 20));
    let (said, hint) = refused("m.jsonl", line.as_bytes()).await;
    assert_eq!(
        said,
        "`m.jsonl` (line 2): wanted a line that ends, found one that is not over after 4 MiB"
    );
    assert!(hint.contains("jq"), "{hint}");
}

#[tokio::test]
async fn last_line_without_a_line_break_and_quotes_that_close_are_fine() {
    for end in ["", "\n", "\r\n", "\n\n\n"] {
        let bench = Bench::new(metrics("")).await;
        let text = format!("host,ts,cpu\n\"a\",2026-01-01T00:00:00Z,1\n\"b \"\"\",2026-01-01T00:00:00Z,\"2\"{end}");
        assert_eq!(bench.ingest("m.csv", text).await.unwrap().rows_read, 2, "{end:?}");
        check(
            &bench.rows().await,
            "a 2026-01-01T00:00:00Z 1.0
             b \" 2026-01-01T00:00:00Z 2.0",
        );
    }
}

#[tokio::test]
async fn empty_file_has_no_columns() {
    let (said, _) = refused("m.csv", b"").await;
    assert!(said.starts_with("`m.csv` has no column `host`"), "{said}");
}

#[tokio::test]
async fn header_of_one_column_says_what_may_separate_columns() {
    let (_, hint) = refused("m.csv", b"host ts cpu\na 2026-01-01T00:00:00Z 1\n").await;
    assert!(hint.contains("semicolons, tabs"), "{hint}");
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test]
async fn files_that_are_no_text_are_told_by_what_they_seem() {
    let text = "host,ts,cpu\na,2026-01-01T00:00:00Z,1\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"\x7fELF\x02\x01\x01\0\0\0\0").unwrap();
    let cases: &[(&str, Vec<u8>, &str, &str)] = &[
        (
            "m.csv",
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            "text in UTF-16",
            "iconv -f UTF-16 -t UTF-8 m.csv",
        ),
        (
            "m.csv",
            utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            "text in UTF-16",
            "iconv -f UTF-16 -t UTF-8 m.csv",
        ),
        (
            "m.csv",
            utf16(text, u16::to_le_bytes),
            "text in UTF-16",
            "iconv -f UTF-16LE",
        ),
        (
            "m.csv",
            utf16(text, u16::to_be_bytes),
            "text in UTF-16",
            "iconv -f UTF-16BE",
        ),
        (
            "m.csv",
            b"PK\x03\x04\x14\0[Content_Types].xml".to_vec(),
            "an Excel workbook (xlsx)",
            "convert-to csv m.csv",
        ),
        (
            "m.xlsx",
            b"PK\x03\x04\x14\0[Content_Types].xml".to_vec(),
            "an Excel workbook (xlsx)",
            "convert-to csv m.xlsx",
        ),
        (
            "m.csv",
            b"PK\x03\x04\x14\0m.csv".to_vec(),
            "a zip archive",
            "unzip m.csv",
        ),
        (
            "m.jsonl",
            b"\x89PNG\r\n\x1a\n\0\0\0".to_vec(),
            "an image",
            "CSV, JSON lines or Parquet",
        ),
        (
            "m.csv.gz",
            gzip.finish().unwrap(),
            "a program",
            "CSV, JSON lines or Parquet",
        ),
        (
            "m.csv",
            vec![1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 9, 3],
            "a binary file",
            "CSV, JSON lines or Parquet",
        ),
        ("m.csv", b"PAR1\x15\0".to_vec(), "a Parquet file", "--format parquet"),
    ];
    for (name, content, what, wanted) in cases {
        let (said, hint) = refused(name, content).await;
        assert!(
            said.starts_with(&format!("`{name}` is {what}, which is not read; wanted ")),
            "{said}"
        );
        assert!(hint.contains(wanted), "{hint}");
    }
}

#[tokio::test]
async fn text_that_begins_like_a_binary_file_is_text() {
    let bench = Bench::new(metrics("columns = { host = \"ORC\" }")).await;
    let read = bench.ingest("m.csv", "ORC,ts,cpu\na,2026-01-01T00:00:00Z,1\n").await;
    assert_eq!(read.map_err(|error: StoreError| error.to_string()).unwrap().rows, 1);
}

#[tokio::test]
async fn lines_are_counted_with_any_line_break_and_with_blank_lines() {
    let text = "host,ts,cpu\na,2026-01-01T00:00:00Z,x\n\n\nb,2026-01-01T00:00:00Z,y\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let bench = Bench::new(metrics("")).await;
        let error = bench.ingest("m.csv", &text).await.unwrap_err();
        let said = said(&bench, &error);
        assert!(said.contains("m.csv:2: ") && said.contains("m.csv:5: "), "{said}");
    }
}

//! What a file that is no text in UTF-8 seems to be, by its first bytes, and how to make one of it that can be read.

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seems {
    /// In words.
    pub what: &'static str,
    /// What to type, with `FILE` for its name.
    pub hint: &'static str,
}

const fn seems(what: &'static str, hint: &'static str) -> Seems {
    Seems { what, hint }
}

const FROM_PANDAS: &str = "with pandas: `pandas.read_…(\"FILE\").to_parquet(\"FILE.parquet\")`";
const NO_TABLE: &str = "name a CSV, JSON lines or Parquet file";

/// The first bytes of formats that are not read.
const SIGNATURES: &[(&[u8], Seems)] = &[
    (
        b"\xff\xfe\x00\x00",
        seems("text in UTF-32", "iconv -f UTF-32 -t UTF-8 FILE > FILE.utf8.csv"),
    ),
    (
        b"\xff\xfe",
        seems("text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8.csv"),
    ),
    (
        b"\xfe\xff",
        seems("text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8.csv"),
    ),
    (
        b"\xd0\xcf\x11\xe0",
        seems(
            "an Excel workbook (xls)",
            "libreoffice --headless --convert-to csv FILE",
        ),
    ),
    (b"PK\x03\x04", seems("a zip archive", "unzip FILE")),
    (
        b"BZh",
        seems("a file compressed with bzip2", "bunzip2 -c FILE > FILE.csv"),
    ),
    (
        b"\xfd7zXZ\x00",
        seems("a file compressed with xz", "xz -dc FILE > FILE.csv"),
    ),
    (b"7z\xbc\xaf\x27\x1c", seems("a 7-Zip archive", "7z x FILE")),
    (b"ARROW1", seems("an Arrow or Feather file", FROM_PANDAS)),
    (b"Obj\x01", seems("an Avro file", FROM_PANDAS)),
    (b"ORC", seems("an ORC file", FROM_PANDAS)),
    (b"\x89HDF", seems("an HDF5 file", FROM_PANDAS)),
    (
        b"SQLite format 3\0",
        seems(
            "an SQLite database",
            "sqlite3 -header -csv FILE 'select * from my_table' > FILE.csv",
        ),
    ),
    (b"\x7fELF", seems("a program", NO_TABLE)),
    (b"%PDF", seems("a PDF document", NO_TABLE)),
    (b"\x89PNG", seems("an image", NO_TABLE)),
    (b"\xff\xd8\xff", seems("an image", NO_TABLE)),
    (b"GIF8", seems("an image", NO_TABLE)),
];

/// What the first bytes of a file seem to be; `None` for text.
pub(super) fn what_it_seems(head: &[u8]) -> Option<Seems> {
    let has = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    if head.starts_with(b"PK\x03\x04") && (has(b"[Content_Types].xml") || has(b"xl/")) {
        let hint = "libreoffice --headless --convert-to csv FILE";
        return Some(seems("an Excel workbook (xlsx)", hint));
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(seems("a tar archive", "tar -xf FILE"));
    }
    let signed = SIGNATURES.iter().find(|(signature, _)| is_signed(head, signature));
    signed.map(|(_, seems)| seems.clone()).or_else(|| by_zeros(head))
}

/// `ORC` and `BZh` may begin a text too, but then no zero and nothing unprintable follows.
fn is_signed(head: &[u8], signature: &[u8]) -> bool {
    let is_printable = signature.iter().all(|byte| byte.is_ascii_graphic());
    let is_text = || std::str::from_utf8(head).is_ok_and(|text| !text.contains('\0'));
    head.starts_with(signature) && !(is_printable && is_text())
}

/// Latin text in UTF-16 has a zero in every second byte; no text in UTF-8 begins with many.
fn by_zeros(head: &[u8]) -> Option<Seems> {
    const LOOKED_AT: usize = 512;
    let head = head.get(..LOOKED_AT).unwrap_or(head);
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    match (even, odd) {
        (0, 0) => None,
        (0, odd) if odd * 4 > half * 3 => Some(seems(
            "text in UTF-16",
            "iconv -f UTF-16LE -t UTF-8 FILE > FILE.utf8.csv",
        )),
        (even, 0) if even * 4 > half * 3 => Some(seems(
            "text in UTF-16",
            "iconv -f UTF-16BE -t UTF-8 FILE > FILE.utf8.csv",
        )),
        // A stray zero is a fault of its row.
        (even, odd) if even + odd < 4 => None,
        _ => Some(seems("a binary file", NO_TABLE)),
    }
}

//! Words in messages: lists of them, and what a text that does not fit may have been meant to be.

/// Ways to spell a text that may be what was meant: as a name, as a column, as a duration.
pub(crate) fn respellings(text: &str) -> [String; 3] {
    let column: String = text
        .trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect();
    let column = column.trim_matches('_').to_owned();
    let mut name = String::new();
    for letter in column.chars() {
        let starts_word = letter.is_ascii_uppercase() && name.ends_with(|last: char| last.is_ascii_lowercase());
        name.extend(
            starts_word
                .then_some('_')
                .into_iter()
                .chain([letter.to_ascii_lowercase()]),
        );
    }
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = text.get(digits.len()..).unwrap_or_default().trim().to_lowercase();
    let units = [
        ("min", "m"),
        ("sec", "s"),
        ("hour", "h"),
        ("hr", "h"),
        ("day", "d"),
        ("week", "w"),
        ("milli", "ms"),
        ("micro", "us"),
    ];
    let unit = units
        .iter()
        .find(|(word, _)| unit.starts_with(word))
        .map_or(unit.as_str(), |(_, short)| short)
        .to_owned();
    [format!("{digits}{unit}"), name, column]
}

/// "`true`", "`a` or `b`", "one of `a`, `b`, `c`".
pub(crate) fn one_of(words: &[&str]) -> String {
    match words {
        [only] => format!("`{only}`"),
        [one, other] => format!("`{one}` or `{other}`"),
        _ => format!(
            "one of {}",
            words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

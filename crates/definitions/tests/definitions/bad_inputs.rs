//! The table of bad inputs, `bad_inputs.txt`: each is the good repository with a few changes, and the exact message that it gets.
//!
//! ```text
//! === what_is_wrong
//! change FILE: old text ~> new text        (⏎ stands for the end of a line)
//! add FILE: whole text
//! >>>
//! the message
//! ```
//!
//! With the environment variable `WRITE_BAD_INPUTS` set to a file, the table is written there with the messages as they are.

use super::{change, checked, files};

const TABLE: &str = include_str!("bad_inputs.txt");

fn message(changes: &str) -> String {
    let mut files = files();
    for line in changes.lines().filter(|line| !line.is_empty()) {
        let (verb, rest) = line.split_once(' ').expect("a verb");
        let (file, rest) = rest.split_once(": ").expect("a file");
        let rest = rest.replace('⏎', "\n");
        match verb {
            "change" => {
                let (old, new) = rest.split_once(" ~>").expect("an old and a new text");
                change(&mut files, file, old, new.strip_prefix(' ').unwrap_or(new));
            }
            "add" => drop(files.insert(file.to_owned(), rest)),
            _ => panic!("`{verb}` is not a verb"),
        }
    }
    match checked(&files) {
        Err(problems) => problems.to_string(),
        Ok(catalog) => catalog
            .not_yet()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[test]
fn bad_input_gets_exactly_its_message() {
    let mut table = String::new();
    let mut titles = Vec::new();
    for case in TABLE.split("=== ").skip(1) {
        let (title, case) = case.split_once('\n').expect("a title");
        let (changes, _) = case.split_once(">>>\n").expect("a message");
        table.push_str(&format!("=== {title}\n{changes}>>>\n{}\n\n", message(changes)));
        titles.push(title);
    }
    assert!(titles.len() >= 60, "only {} bad inputs", titles.len());
    titles.sort_unstable();
    let count = titles.len();
    titles.dedup();
    assert_eq!(titles.len(), count, "a title twice");
    if let Ok(file) = std::env::var("WRITE_BAD_INPUTS") {
        std::fs::write(file, &table).expect("written");
    }
    for (found, wanted) in table.split("=== ").zip(TABLE.split("=== ")).skip(1) {
        assert_eq!(found.trim_end(), wanted.trim_end());
    }
}

#[test]
fn every_message_has_a_place_and_a_hint() {
    for case in TABLE.split("=== ").skip(1) {
        let lines: Vec<&str> = case
            .split_once(">>>\n")
            .expect("a message")
            .1
            .trim_end()
            .lines()
            .collect();
        for pair in lines.chunks(2) {
            assert!(
                matches!(pair, [what, hint] if what.contains(".toml") && hint.starts_with("hint: ")),
                "{case}"
            );
        }
    }
}

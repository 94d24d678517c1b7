//! A TOML text as a tree in which every key and value knows its line, and arrays of tables are lists like any other.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use crate::Problem;

/// A value and the line it stands in.
#[derive(Debug)]
pub(crate) struct Node {
    pub line: usize,
    pub content: Content,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A TOML date or time, as written.
    Time(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table, and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

/// Reads a TOML text.
///
/// # Errors
/// The text is not TOML; only the first such problem is told.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Entry>, Box<Problem>> {
    let lines = Lines::of(text);
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map(|span| lines.at(span.start));
        let problem = Problem {
            line,
            ..Problem::new(file, format!("not TOML: {}", first_line(error.message())))
        };
        Box::new(problem.hint(toml_hint(error.message())))
    })?;
    Ok(entries(document.as_table(), 1, &lines))
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn toml_hint(message: &str) -> Option<String> {
    let hint = if message.contains("duplicate key") {
        "keep one of the two"
    } else if message.contains("string values must be quoted") {
        "put the text in quotes: \"…\""
    } else if message.contains("key with no value") {
        "key = \"…\""
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// Where each line of a text starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(breaks).collect())
    }
    /// The line, from 1, that holds the byte.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte)
    }
    fn of_span(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.filter(|span| !span.is_empty()).map(|span| self.at(span.start))
    }
}

fn entries(table: &dyn TableLike, line: usize, lines: &Lines) -> Vec<Entry> {
    let entry = |(key, item): (&str, &Item)| {
        let key_line = lines
            .of_span(table.key(key).and_then(toml_edit::Key::span))
            .unwrap_or(line);
        Some(Entry {
            key: key.to_owned(),
            line: key_line,
            node: item_node(item, key_line, lines)?,
        })
    };
    let mut entries: Vec<Entry> = table.iter().filter_map(entry).collect();
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn item_node(item: &Item, line: usize, lines: &Lines) -> Option<Node> {
    let line = lines.of_span(item.span()).unwrap_or(line);
    let content = match item {
        Item::None => return None,
        Item::Value(value) => return Some(value_node(value, line, lines)),
        Item::Table(table) => Content::Table(entries(table, line, lines)),
        Item::ArrayOfTables(tables) => {
            let node = |table: &toml_edit::Table| {
                let line = lines.of_span(table.span()).unwrap_or(line);
                Node {
                    line,
                    content: Content::Table(entries(table, line, lines)),
                }
            };
            Content::List(tables.iter().map(node).collect())
        }
    };
    Some(Node { line, content })
}

fn value_node(value: &Value, line: usize, lines: &Lines) -> Node {
    let line = lines.of_span(value.span()).unwrap_or(line);
    let content = match value {
        Value::String(text) => Content::Text(text.value().clone()),
        Value::Integer(number) => Content::Integer(*number.value()),
        Value::Float(number) => Content::Float(*number.value()),
        Value::Boolean(switch) => Content::Bool(*switch.value()),
        Value::Datetime(time) => Content::Time(time.value().to_string()),
        Value::Array(values) => Content::List(values.iter().map(|value| value_node(value, line, lines)).collect()),
        Value::InlineTable(table) => Content::Table(entries(table, line, lines)),
    };
    Node { line, content }
}

/// The line of every key, table and list element, by dotted path: `train.lightgbm.num_leaves`, `features[2].type` (counted from 0).
pub(crate) fn line_map(entries: &[Entry]) -> BTreeMap<String, usize> {
    let mut map = BTreeMap::new();
    note_lines(entries, "", &mut map);
    map
}

fn note_lines(entries: &[Entry], path: &str, map: &mut BTreeMap<String, usize>) {
    for entry in entries {
        let path = dotted(path, &entry.key);
        map.insert(path.clone(), entry.line);
        note_node(&entry.node, &path, map);
    }
}

fn note_node(node: &Node, path: &str, map: &mut BTreeMap<String, usize>) {
    match &node.content {
        Content::Table(entries) => note_lines(entries, path, map),
        Content::List(nodes) => {
            for (at, node) in nodes.iter().enumerate() {
                let path = format!("{path}[{at}]");
                map.insert(path.clone(), node.line);
                note_node(node, &path, map);
            }
        }
        _ => {}
    }
}

/// A key below a path.
pub(crate) fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

//! Typed access to a TOML table. A getter that does not find what it wants notes a problem, with file, line, key, wanted,
//! found and hint, and returns `None`, so that one reading finds every mistake of a file.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use super::document::{Content, Entry, Node, dotted};
use super::spelling::{one_of, respellings};
use crate::{Problem, ReferenceError, nearest};

/// What reading a file has found so far.
#[derive(Debug)]
pub(crate) struct Notes<'a> {
    file: &'a str,
    problems: RefCell<Vec<Problem>>,
    not_yet: RefCell<Vec<Problem>>,
}

impl<'a> Notes<'a> {
    pub fn new(file: &'a str) -> Self {
        Self {
            file,
            problems: RefCell::default(),
            not_yet: RefCell::default(),
        }
    }
    /// Notes a problem; once, however often the same value is looked at.
    pub fn problem(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    pub fn not_yet(&self, problem: Problem) {
        self.not_yet.borrow_mut().push(problem);
    }
    /// The problems, and what is not supported yet.
    pub fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.not_yet.into_inner())
    }
}

/// A table of the file.
#[derive(Debug, Clone)]
pub(crate) struct Table<'a> {
    pub notes: &'a Notes<'a>,
    entries: &'a [Entry],
    /// The line of its header; `None` for the file itself.
    line: Option<usize>,
    path: String,
    /// How messages call it: "the feature group", "`[[features]]` `cpu_percent`".
    pub place: String,
}

impl<'a> Table<'a> {
    /// The whole file.
    pub fn root(notes: &'a Notes<'a>, entries: &'a [Entry], place: &str) -> Self {
        Self {
            notes,
            entries,
            line: None,
            path: String::new(),
            place: place.to_owned(),
        }
    }
    /// Notes every key that is not one of these.
    pub fn only(&self, known: &[&str]) {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let meant = nearest(&entry.key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            self.unknown(&entry.key, &one_of(known), meant);
        }
    }
    /// Notes that a key is not known here.
    pub fn unknown(&self, key: &str, wanted: &str, hint: Option<String>) {
        let problem = self.problem(key, format!("unknown key `{key}` in {}", self.place));
        let hint = hint.unwrap_or_else(|| format!("remove `{key}`"));
        self.notes
            .problem(problem.wanted(wanted).found(format!("`{key}`")).hint(hint));
    }
    /// A problem at one of its keys; at the table itself where it has no such key.
    pub fn problem(&self, key: &str, what: impl Into<String>) -> Problem {
        let line = self
            .entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.line)
            .or(self.line);
        Problem::new(self.notes.file, what).at(line, dotted(&self.path, key))
    }
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| self.field(entry))
    }
    /// The value of a key that must be there; `example` is a line that would do.
    pub fn require(&self, key: &str, wanted: &str, example: &str) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let missing = self.problem(key, format!("missing key `{key}` in {}", self.place));
            self.notes.problem(
                missing
                    .wanted(wanted)
                    .found("no such key")
                    .hint(format!("add `{example}`")),
            );
        }
        field
    }
    /// Every key and its value, in the file's order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + '_ {
        self.entries.iter().map(|entry| (entry.key.as_str(), self.field(entry)))
    }
    /// The text of a key, which may be missing.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|field| field.text())
    }
    /// The value of a key, which may be missing, read from its text.
    pub fn parsed<T: FromStr<Err = ReferenceError>>(&self, key: &str) -> Option<T> {
        self.get(key).and_then(|field| field.parsed())
    }
    /// The switch of a key; off when it is missing.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|field| field.flag()).unwrap_or_default()
    }
    /// The texts of a key, which may be missing.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let fields = self.get(key).and_then(|field| field.list()).unwrap_or_default();
        fields.iter().filter_map(Field::text).collect()
    }
    /// The distinct values of a key, which may be missing, read from their texts.
    pub fn distinct<T: FromStr<Err = ReferenceError> + PartialEq + fmt::Display>(&self, key: &str) -> Vec<T> {
        self.get(key).and_then(|field| field.distinct()).unwrap_or_default()
    }
    fn field(&self, entry: &'a Entry) -> Field<'a> {
        Field {
            notes: self.notes,
            node: &entry.node,
            line: entry.line,
            path: dotted(&self.path, &entry.key),
            label: format!("`{}` in {}", entry.key, self.place),
            key: &entry.key,
        }
    }
}

/// A value of the file, under a key or in a list.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    notes: &'a Notes<'a>,
    node: &'a Node,
    line: usize,
    path: String,
    label: String,
    /// Its key, or that of the list it is in.
    pub key: &'a str,
}

impl<'a> Field<'a> {
    /// A problem of this value.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        Problem::new(self.notes.file, what).at(Some(self.line), self.path.clone())
    }
    /// Notes that the value is of the right type, but wrong.
    pub fn bad(&self, wanted: impl Into<String>, hint: impl Into<Option<String>>) {
        let problem = self.problem(format!("bad value of {}", self.label));
        self.notes
            .problem(problem.wanted(wanted).found(self.shown()).hint(hint));
    }
    /// Notes that the value is of the wrong type; without a hint, its key with a value of the right type is one.
    pub fn mistyped<T>(&self, wanted: &str, hint: Option<String>) -> Option<T> {
        let problem = self.problem(format!("bad type of {}", self.label));
        let example = match wanted {
            "text" => "\"…\"",
            "a list" => "[\"…\"]",
            "a table" => "{ … }",
            "`true` or `false`" => "true",
            _ => "1",
        };
        let hint = hint.unwrap_or_else(|| format!("{} = {example}", self.key));
        self.notes
            .problem(problem.wanted(wanted).found(self.described()).hint(hint));
        None
    }
    /// The value for people, such as `3` or a list.
    fn shown(&self) -> String {
        match &self.node.content {
            Content::Text(text) => format!("`{text}`"),
            Content::Integer(number) => format!("`{number}`"),
            Content::Float(number) => format!("`{number:?}`"),
            Content::Bool(switch) => format!("`{switch}`"),
            Content::Time(time) => format!("`{time}`"),
            Content::List(list) if list.is_empty() => "an empty list".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Table(_) => "a table".to_owned(),
        }
    }
    fn described(&self) -> String {
        let shown = self.shown();
        match &self.node.content {
            Content::Text(_) => format!("the text {shown}"),
            Content::Integer(_) | Content::Float(_) => format!("the number {shown}"),
            Content::Time(_) => format!("the time {shown}"),
            _ => shown,
        }
    }
    /// The content as it stands, for values that may be of several types.
    pub fn content(&self) -> &'a Content {
        &self.node.content
    }
    /// Its text.
    pub fn text(&self) -> Option<String> {
        match self.content() {
            Content::Text(text) => Some(text.clone()),
            Content::Integer(number) => self.mistyped("text", Some(format!("{} = \"{number}\"", self.key))),
            _ => self.mistyped("text", None),
        }
    }
    /// A value read from its text.
    pub fn parsed<T: FromStr<Err = ReferenceError>>(&self) -> Option<T> {
        let example = |text: String| format!("{} = \"{text}\"", self.key);
        match self.content() {
            Content::Text(text) => {
                let result = text.parse();
                let hint = || {
                    respellings(text)
                        .into_iter()
                        .find(|text| text.parse::<T>().is_ok())
                        .map(example)
                };
                result
                    .map_err(|error: ReferenceError| self.bad(error.wanted, hint()))
                    .ok()
            }
            Content::Integer(number) => {
                let texts = [number.to_string(), format!("{number}s")];
                self.mistyped(
                    "text",
                    texts.into_iter().find(|text| text.parse::<T>().is_ok()).map(example),
                )
            }
            _ => self.mistyped("text", None),
        }
    }
    /// Its switch.
    pub fn flag(&self) -> Option<bool> {
        match self.content() {
            Content::Bool(switch) => Some(*switch),
            Content::Text(text) if text == "true" || text == "false" => {
                self.mistyped("`true` or `false`", Some(format!("{} = {text}", self.key)))
            }
            _ => self.mistyped("`true` or `false`", None),
        }
    }
    /// Its whole number, no smaller than `least`.
    pub fn whole<T: TryFrom<i64>>(&self, least: i64) -> Option<T> {
        let wanted = format!("a whole number from {least}");
        match self.content() {
            Content::Integer(number) => {
                let fitting = (*number >= least).then(|| T::try_from(*number).ok()).flatten();
                if fitting.is_none() {
                    self.bad(wanted, format!("{} = {least}", self.key));
                }
                fitting
            }
            Content::Text(text) => {
                let digits = text
                    .trim_start_matches('v')
                    .parse::<i64>()
                    .ok()
                    .filter(|number| *number >= least);
                self.mistyped(&wanted, digits.map(|number| format!("{} = {number}", self.key)))
            }
            _ => self.mistyped(&wanted, None),
        }
    }
    /// Its number, which is finite.
    pub fn number(&self) -> Option<f64> {
        match self.content() {
            #[expect(clippy::cast_precision_loss, reason = "a limit written without a point is small")]
            Content::Integer(number) => Some(*number as f64),
            Content::Float(number) if number.is_finite() => Some(*number),
            Content::Float(_) => {
                self.bad("a finite number", format!("remove `{}`", self.key));
                None
            }
            Content::Text(text) => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                self.mistyped("a number", number.map(|_| format!("{} = {text}", self.key)))
            }
            _ => self.mistyped("a number", None),
        }
    }
    /// The elements of its list.
    pub fn list(&self) -> Option<Vec<Field<'a>>> {
        match self.content() {
            Content::List(nodes) => Some(
                nodes
                    .iter()
                    .enumerate()
                    .map(|(at, node)| self.element(at, node))
                    .collect(),
            ),
            Content::Text(text) => self.mistyped("a list", Some(format!("{} = [\"{text}\"]", self.key))),
            Content::Table(_) => self.mistyped("a list", Some(format!("[[{}]]", self.key))),
            _ => self.mistyped("a list", None),
        }
    }
    fn element(&self, at: usize, node: &'a Node) -> Field<'a> {
        let (path, label) = (format!("{}[{at}]", self.path), self.label.clone());
        Field {
            notes: self.notes,
            node,
            line: node.line,
            path,
            label,
            key: self.key,
        }
    }
    /// The elements of its list, read from their texts; a second one of a kind is noted.
    pub fn distinct<T: FromStr<Err = ReferenceError> + PartialEq + fmt::Display>(&self) -> Option<Vec<T>> {
        let mut values: Vec<T> = Vec::new();
        for element in self.list()? {
            let Some(value) = element.parsed::<T>() else { continue };
            if values.contains(&value) {
                let problem = element.problem(format!("duplicate in {}", self.label));
                self.notes.problem(
                    problem
                        .wanted("each once")
                        .found(format!("`{value}` twice"))
                        .hint("remove one".to_owned()),
                );
            } else {
                values.push(value);
            }
        }
        Some(values)
    }
    /// Its table, and how messages call it.
    pub fn table(&self, place: &str) -> Option<Table<'a>> {
        match self.content() {
            Content::Table(entries) => Some(Table {
                notes: self.notes,
                entries,
                line: Some(self.line),
                path: self.path.clone(),
                place: place.to_owned(),
            }),
            _ => self.mistyped("a table", None),
        }
    }
    /// One of a few words.
    pub fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let near = nearest(&text, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let first = || words.first().map(|first| format!("{} = \"{first}\"", self.key));
            self.bad(one_of(&words), near.or_else(first));
        }
        found
    }
}

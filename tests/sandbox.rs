//! A repository in a temporary folder, and the binary run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary repository. It goes away with its value.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Said {
    /// The one JSON document on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
    /// Both streams and the exit code, as a person would see them.
    pub fn screen(&self) -> String {
        let mut text = self.stdout.clone();
        if !self.stderr.is_empty() {
            text.push_str("--- stderr\n");
            text.push_str(&self.stderr);
        }
        if self.code != 0 {
            text.push_str(&format!("--- exit code {}\n", self.code));
        }
        text
    }
}

pub const SETTINGS: &str = "[storage]\nroot = \".platform\"\n\n[registry]\nurl = \"sqlite:.platform/registry.db\"\n";

impl Sandbox {
    /// An empty folder.
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }
    /// A repository without definitions.
    pub fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.write("platform.toml", SETTINGS);
        sandbox
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
    /// The command, ready to be started.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_platform"));
        command.args(words(line)).current_dir(self.root()).stdin(Stdio::null());
        // Histories name who moved an alias.
        command.env("USER", "anna");
        command
    }
    /// Runs `platform LINE` here. Words with spaces stand in single or double quotes.
    pub fn run(&self, line: &str) -> Said {
        said(self.command(line).output().unwrap())
    }
    /// Runs it and expects it to work.
    pub fn ok(&self, line: &str) -> Said {
        let said = self.run(line);
        assert!(said.code == 0, "`platform {line}` failed:\n{}", said.screen());
        said
    }
    /// Runs it and expects the input to be refused; gives stderr.
    pub fn refused(&self, line: &str) -> String {
        let said = self.run(line);
        assert!(said.code == 1, "`platform {line}` was not refused:\n{}", said.screen());
        said.stderr
    }
    /// Runs it with text on stdin.
    #[allow(dead_code, reason = "for commands that read stdin")]
    pub fn pipe(&self, line: &str, input: &[u8]) -> Said {
        use std::io::Write;
        let mut command = self.command(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that refuses its input may stop reading before the end.
        drop(stdin.write_all(input));
        drop(stdin);
        said(child.wait_with_output().unwrap())
    }
}

pub fn said(output: Output) -> Said {
    Said {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut open) = (String::new(), None, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (_, '\\') => word.extend(letters.next()),
            (None, '\'' | '"') => (quote, open) = (Some(letter), true),
            (Some(end), _) if letter == end => quote = None,
            (None, ' ') if !word.is_empty() || open => {
                words.push(std::mem::take(&mut word));
                open = false;
            }
            (None, ' ') => {}
            _ => word.push(letter),
        }
    }
    if !word.is_empty() || open {
        words.push(word);
    }
    words
}

/// Real data, where it is present; says that a test is skipped where it is not.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PLATFORM_REAL_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no real data at `{}`", path.display());
    None
}

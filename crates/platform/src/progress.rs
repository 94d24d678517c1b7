//! Progress of long work: a bar with rate and ETA on a terminal, a plain line every few seconds when piped.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::screen;

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// One piece of long work.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Starts work on `total` units (0: not known) of something, such as `rows`.
    pub fn start(label: &str, total: u64) -> Self {
        let now = Instant::now();
        let bar = screen::is_watched().then(|| {
            let bar = if total > 0 {
                ProgressBar::new(total)
            } else {
                ProgressBar::new_spinner()
            };
            let template = if total > 0 {
                "{msg} [{bar:30}] {human_pos}/{human_len}  {per_sec}  ETA {eta}"
            } else {
                "{msg} {human_pos}  {per_sec}  {elapsed}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(label.to_owned());
            bar
        });
        Self {
            bar,
            label: label.to_owned(),
            started: now,
            last_line: Mutex::new(now),
        }
    }

    /// Says how far the work has come, out of how much (0: not known), and what there is to say about it.
    pub fn at(&self, done: u64, total: u64, note: &str) {
        if let Some(bar) = &self.bar {
            if total > 0 {
                bar.set_length(total);
            }
            bar.set_position(done);
            if !note.is_empty() {
                bar.set_message(format!("{} {note}", self.label));
            }
            return;
        }
        let Ok(mut last) = self.last_line.lock() else { return };
        if last.elapsed() < PLAIN_EVERY {
            return;
        }
        *last = Instant::now();
        screen::say(self.plain(done, total, note));
    }

    fn plain(&self, done: u64, total: u64, note: &str) -> String {
        let elapsed = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = done as f64 / elapsed;
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(", {note}")
        };
        let rate_text = screen::count(rate as u64);
        if total == 0 || done == 0 {
            return format!("{}: {} ({rate_text}/s){note}", self.label, screen::count(done));
        }
        let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
        let (done, total) = (screen::count(done), screen::count(total));
        format!(
            "{}: {done} of {total} ({rate_text}/s, {} left){note}",
            self.label,
            screen::seconds(left)
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

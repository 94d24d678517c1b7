//! Ctrl-C, for work that can stop by itself and keep what it has: it is asked first. Everything else is stopped at once.

use std::sync::atomic::{AtomicU8, Ordering};

const NOBODY: u8 = 0;
const LISTENING: u8 = 1;
const ASKED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(NOBODY);

/// Somebody listens as long as this lives.
pub struct Listening(());

/// From now on whoever calls looks at [`is_asked`] often, and stops.
pub fn listen() -> Listening {
    STATE.store(LISTENING, Ordering::SeqCst);
    Listening(())
}

impl Drop for Listening {
    fn drop(&mut self) {
        STATE.store(NOBODY, Ordering::SeqCst);
    }
}

/// Asks whoever listens to stop; whether somebody does, and was not asked before.
pub fn ask() -> bool {
    STATE
        .compare_exchange(LISTENING, ASKED, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

/// Whether to stop.
pub fn is_asked() -> bool {
    STATE.load(Ordering::SeqCst) == ASKED
}

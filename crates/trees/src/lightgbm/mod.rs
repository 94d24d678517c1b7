//! LightGBM's C interface, made safe: handles that free themselves, errors as values, silence.
//!
//! Everything unsafe in this crate is below this folder. Three rules of the C side are kept here once:
//!
//! * Arrow: LightGBM calls the release callbacks of what it is handed, in place, also when it fails. Rust's FFI structs know by
//!   the cleared callback that they have been released, so their own drop is right in every case.
//! * A booster points into its datasets, so it holds them; either side may be dropped first.
//! * The last error, the log's callback and its level belong to the thread that makes the call: so every call goes through
//!   [`call`], which silences the log of its thread first. What LightGBM refuses it also writes to stderr; that cannot be helped.

mod booster;
mod dataset;

use std::ffi::{CStr, CString, c_char, c_int};

use lightgbm3_sys as ffi;

pub(crate) use booster::{Booster, PredictKind};
pub(crate) use dataset::{Dataset, DatasetOptions};

use crate::TreesError;

/// The version of LightGBM that is built in.
pub const VERSION: &str = "4.6.0";

/// LightGBM's own log would go to stdout, which is for data: what matters comes back as an error.
unsafe extern "C" fn stay_silent(_message: *const c_char) {}

/// One call of LightGBM, silent, its failure as a value.
fn call(doing: &'static str, function: impl FnOnce() -> c_int) -> Result<(), TreesError> {
    // SAFETY: the callback is a function that lives as long as the program.
    unsafe { ffi::LGBM_RegisterLogCallback(Some(stay_silent)) };
    if function() == 0 {
        return Ok(());
    }
    // SAFETY: LightGBM returns a C string that stays valid until this thread's next call.
    let said = unsafe { CStr::from_ptr(ffi::LGBM_GetLastError()) };
    Err(TreesError::LightGbm {
        doing,
        said: said.to_string_lossy().trim().to_owned(),
    })
}

/// LightGBM's number of threads belongs to the whole process, and its buffers are one a thread: work with one number must not meet
/// work with another. So one piece of work is done at a time, each with all the threads it asked for.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Waits for the turn; whoever holds it works alone. A panic elsewhere leaves nothing half-done here.
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sets how many threads LightGBM uses, for the whole process. Results do not depend on it.
pub(crate) fn set_threads(threads: usize) -> Result<(), TreesError> {
    let threads = count("threads", threads)?;
    // SAFETY: no pointers.
    call("set its threads", || unsafe { ffi::LGBM_SetMaxThreads(threads) })
}

fn count(what: &'static str, found: usize) -> Result<c_int, TreesError> {
    c_int::try_from(found).map_err(|_| TreesError::TooMany { what, found })
}

fn size(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn c_string(text: &str) -> Result<CString, TreesError> {
    CString::new(text).map_err(|_| TreesError::ZeroByte { name: text.to_owned() })
}

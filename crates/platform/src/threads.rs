//! How many threads work.

use tokio::runtime::{Builder, Runtime};

use crate::failure::{Failure, Outcome};

/// As many as asked for, else one per core.
pub fn count(asked: Option<u16>) -> usize {
    asked.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

/// The runtime that I/O runs on.
pub fn runtime(threads: usize) -> Outcome<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::platform(format!("cannot start {threads} threads: {error}")))
}

/// How long OpenMP's threads spin before they sleep: long enough for the next piece of a tree, not for another program's time slice.
const SPIN_COUNT: &str = "3000";

/// LightGBM's threads wait for each other by spinning, for milliseconds: beside any other busy program that makes training many
/// times slower. How long they spin can only be said in the environment, before the program starts, so it starts itself again.
pub fn spin_briefly() {
    let is_said = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let (false, Ok(program)) = (is_said, std::env::current_exe()) else {
        return;
    };
    let mut again = std::process::Command::new(program);
    again
        .args(std::env::args_os().skip(1))
        .env("GOMP_SPINCOUNT", SPIN_COUNT);
    // Where it cannot start again, it goes on as it is: slower, not wrong.
    drop(std::os::unix::process::CommandExt::exec(&mut again));
}

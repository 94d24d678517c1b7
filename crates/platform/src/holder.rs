//! Who holds a lease: host and process, so that a lease left by a process that was killed can be told from one in use.

/// This process, as `host/pid/start`.
pub fn own() -> String {
    let pid = std::process::id();
    format!("{}/{pid}/{}", host(), start_of(pid).unwrap_or_default())
}

/// Whether the process that wrote this holder is certainly gone: same host, and no such process any more.
pub fn is_gone(holder: &str) -> bool {
    let mut parts = holder.rsplitn(3, '/');
    let (start, pid, held_on) = (parts.next(), parts.next(), parts.next());
    let (Some(start), Some(pid), Some(held_on)) = (start, pid.and_then(|pid| pid.parse::<u32>().ok()), held_on) else {
        return false;
    };
    held_on == host() && start_of(pid).as_deref() != Some(start)
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{}-{}", name.trim(), boot.trim().chars().take(8).collect::<String>())
}

/// When a process started, in clock ticks since boot: tells a process from a later one with the same number. A zombie is gone.
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_not_gone_and_a_later_one_with_its_number_is() {
        assert!(!is_gone(&own()));
        let other_start = own().rsplit_once('/').map(|(rest, _)| format!("{rest}/1"));
        assert!(is_gone(&other_start.unwrap_or_default()));
        assert!(!is_gone("another-host/1/1"));
    }
}

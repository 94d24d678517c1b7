//! Who is at work: the person, for histories; host and process for leases, so that a lease left by a process that was killed can be told from one in use.

/// This process, as `host/pid/start`.
pub fn own() -> String {
    let pid = std::process::id();
    format!("{}/{pid}/{}", host(), start_of(pid).unwrap_or_default())
}

/// Who is asking: `USER`, `LOGNAME`, the name that the system has for the user's number, or else this process.
pub fn person() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    named("USER")
        .or_else(|| named("LOGNAME"))
        .or_else(user_of_process)
        .unwrap_or_else(own)
}

fn user_of_process() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let effective = uids.split_whitespace().nth(1)?;
    user_of(effective, &std::fs::read_to_string("/etc/passwd").ok()?)
}

/// The name that goes with a user's number in a password file.
fn user_of(uid: &str, users: &str) -> Option<String> {
    let is_it = |line: &&str| line.split(':').nth(2) == Some(uid);
    let name = users.lines().find(is_it)?.split(':').next()?;
    (!name.is_empty()).then(|| name.to_owned())
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
    fn user_has_the_name_of_its_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(user_of("1000", users).as_deref(), Some("anna"));
        assert_eq!(user_of("10", users), None);
    }

    #[test]
    fn own_process_is_not_gone_and_a_later_one_with_its_number_is() {
        assert!(!is_gone(&own()));
        let other_start = own().rsplit_once('/').map(|(rest, _)| format!("{rest}/1"));
        assert!(is_gone(&other_start.unwrap_or_default()));
        assert!(!is_gone("another-host/1/1"));
    }
}

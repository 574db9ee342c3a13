//! How much memory a run may use, where nobody says.
//!
//! It must not decide how many workers that is.
//!
//! Invariant: where the system does not tell, there is no bound.

use crate::limits::KIB;

/// Half of what this machine has, or of what a container may use of it.
pub(super) fn to_use() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let container =
        std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| bound(&text));
    machine.into_iter().chain(container).min().map(|bytes| bytes / 2)
}

/// The memory of a machine in bytes (proc(5), `/proc/meminfo`).
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(KIB)
}

/// The memory of a container in bytes; `max` is no bound (Linux, control group v2).
fn bound(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total("nothing"), None);
        assert_eq!(bound("1073741824\n"), Some(1 << 30));
        assert_eq!(bound("max\n"), None);
    }
}

//! Whether the kernel admits as many inotify instances as the Envoys of a mesh will open.
//!
//! Envoy ends with an assertion when it cannot open one, and says so between many lines of a stack. Linux counts them for
//! each user, so what this user's other processes hold counts too.

use std::fs;
use std::path::Path;

use crate::exit::Failure;

/// How many of them each user may have, on the whole machine and in this process' user namespace: the lower one holds.
const LIMITS: [&str; 2] = ["/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances"];

/// Fails if `needed` more would be too many. Where it cannot be found out, nothing is refused: Envoy itself will say.
pub(crate) fn refuse_too_few(needed: u32) -> Result<(), Failure> {
    let read = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    match LIMITS.into_iter().filter_map(read).min() {
        Some(limit) if needed > 0 => enough(needed, held(), limit),
        Some(_) | None => Ok(()),
    }
}

fn enough(needed: u32, held: u32, limit: u32) -> Result<(), Failure> {
    let wanted = held.saturating_add(needed);
    if wanted <= limit {
        return Ok(());
    }
    let message = format!(
        "the Envoys of this mesh need {needed} inotify instances; this user's processes hold {held}, and the kernel \
         admits {limit} for each user"
    );
    let doubled = wanted.saturating_mul(2);
    Err(Failure::new(message).help(format!(
        "raise the limit with `sysctl -w fs.inotify.max_user_instances={doubled}` as root, end what holds them, or run \
         the bundled proxy instead: --data-plane meshd"
    )))
}

/// How many the processes that this one can look into hold: those of the same user.
fn held() -> u32 {
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let held = processes.flatten().map(|process| instances(&process.path().join("fd"))).sum::<usize>();
    u32::try_from(held).unwrap_or(u32::MAX)
}

fn instances(descriptors: &Path) -> usize {
    let Ok(descriptors) = fs::read_dir(descriptors) else { return 0 };
    let is_instance = |target: &std::path::PathBuf| target.as_os_str() == "anon_inode:inotify";
    descriptors.flatten().filter_map(|one| fs::read_link(one.path()).ok()).filter(is_instance).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_may_be_reached_and_not_passed() {
        assert!(enough(28, 100, 128).is_ok());
        let failure = enough(29, 100, 128).unwrap_err();
        assert!(failure.message.contains("need 29") && failure.message.contains("hold 100"), "{failure:?}");
        assert!(failure.help.unwrap().contains("fs.inotify.max_user_instances=258"));
    }
}

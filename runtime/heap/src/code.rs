//! The pages of program code and constants that are mapped: those that only a start needs are left again.
//!
//! A program that reads a configuration goes through parsers, validation and its command line once, and the kernel maps
//! sixteen pages around each that is touched. These pages are the page cache's, and come back by themselves when they are
//! needed. Until then they count as this process's, and the kernel takes them for pages in use when it looks for memory.

/// Leaves all pages of code and constants. Whatever runs next maps what it needs.
#[cfg(target_env = "gnu")]
pub fn leave_code() {
    for (address, bytes) in mappings().as_deref().map(unchanged).unwrap_or_default() {
        leave(address, bytes);
    }
}

/// Nothing, where there is no C library that is known to do it.
#[cfg(not(target_env = "gnu"))]
pub fn leave_code() {}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a function of the C library")]
fn leave(address: usize, bytes: usize) {
    let address = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the range is one mapping of a file that cannot be written to and of which no page was changed by this process
    // (see `unchanged`), so that what is read there afterwards comes from the same place in the same file, as before.
    unsafe { libc::madvise(address, bytes, libc::MADV_DONTNEED) };
}

/// What the kernel says about this process's mappings. Source: Linux, Documentation/filesystems/proc.rst, "smaps".
#[cfg(any(test, target_env = "gnu"))]
#[expect(clippy::disallowed_methods, reason = "the kernel says it in a file")]
fn mappings() -> Option<String> {
    std::fs::read_to_string("/proc/self/smaps").ok()
}

/// Addresses and lengths of the mappings of files that this process cannot write to and has not changed. What was relocated
/// when the program was loaded is protected from then on, but has pages of its own: those are not in any file.
#[cfg(any(test, target_env = "gnu"))]
fn unchanged(mappings: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in mappings.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match first.strip_suffix(':') {
            // Behind the address and the rights come the offset, the device, the inode and the path.
            None => {
                let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
                let is_fixed = matches!(second, "r--p" | "r-xp");
                candidate = range(first).filter(|_| is_file && is_fixed);
            }
            Some("Anonymous") if second == "0" => found.extend(candidate.take()),
            Some(_) => {}
        }
    }
    found
}

/// Where a mapping begins, and how long it is.
#[cfg(any(test, target_env = "gnu"))]
fn range(text: &str) -> Option<(usize, usize)> {
    let (begin, end) = text.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let begin = address(begin)?;
    Some((begin, address(end)?.checked_sub(begin)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0c0000000-55d0c0200000 r--p 00000000 08:01 77 /usr/bin/meshd
Rss:                1024 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
55d0c0200000-55d0c0a00000 r-xp 00200000 08:01 77 /usr/bin/a name
Anonymous:             0 kB
55d0c0a00000-55d0c0a80000 r--p 00a00000 08:01 77 /usr/bin/meshd
Anonymous:           512 kB
55d0c0a80000-55d0c0a90000 rw-p 00a80000 08:01 77 /usr/bin/meshd
Anonymous:             0 kB
55d0c1000000-55d0c1100000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
7f0000000000-7f0000010000 r--s 00000000 08:01 78 /shared
Anonymous:             0 kB
";

    #[test]
    fn only_what_is_in_a_file_as_it_is_in_memory_is_left() {
        assert_eq!(unchanged(SMAPS), [(0x55d0_c000_0000, 0x20_0000), (0x55d0_c020_0000, 0x80_0000)]);
        assert_eq!(unchanged("no mapping\nAnonymous: 0 kB\n"), []);
    }

    /// KiB of code in memory.
    fn resident() -> usize {
        let mappings = mappings().unwrap();
        let mut is_code = false;
        let mut sum = 0;
        for line in mappings.lines() {
            if let Some((_, rights)) = line.split_once(' ').filter(|(range, _)| range.contains('-')) {
                is_code = rights.starts_with("r-xp") && rights.contains('/');
            } else if let Some(rss) = line.strip_prefix("Rss:").filter(|_| is_code) {
                sum += rss.trim().trim_end_matches(" kB").parse::<usize>().unwrap();
            }
        }
        sum
    }

    #[test]
    fn code_runs_on_after_it_was_left() {
        let work = || format!("{:?}", (0..1000).map(|n| f64::from(n).sqrt()).collect::<Vec<_>>());
        let (before, said) = (resident(), work());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| assert_eq!(work(), said)));
            }
            (0..20).for_each(|_| leave_code());
        });
        leave_code();
        let after = resident();
        assert!(after < before || cfg!(not(target_env = "gnu")), "{before} and {after} KiB");
        assert_eq!(work(), said);
    }
}

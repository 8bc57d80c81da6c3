//! Fixed windows: which one a moment lies in, and when it ends.

use std::time::Duration;

use crate::Unit;

/// One window of a unit. Windows of a unit follow each other without gaps from 1970 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its first second since 1970.
    pub(crate) start: u64,
    /// The first second after it.
    pub(crate) end: u64,
}

impl Window {
    /// The window that a moment lies in.
    pub(crate) fn at(now: Duration, unit: Unit) -> Self {
        let seconds = now.as_secs();
        let start = seconds - seconds % unit.seconds();
        Self { start, end: start.saturating_add(unit.seconds()) }
    }

    /// How long until the window ends; never zero at a moment that lies in it.
    pub(crate) fn left(self, now: Duration) -> Duration {
        Duration::from_secs(self.end).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const UNITS: [Unit; 7] =
        [Unit::Second, Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Year];

    proptest! {
        /// A window contains its moment, is as long as its unit, begins at a multiple of it, and the next window begins
        /// where it ends.
        #[test]
        fn windows_tile_time(nanos in 0_u64..u64::MAX, unit in select(&UNITS)) {
            let now = Duration::from_nanos(nanos);
            let window = Window::at(now, unit);
            prop_assert!(Duration::from_secs(window.start) <= now && now < Duration::from_secs(window.end));
            prop_assert_eq!(window.end - window.start, unit.seconds());
            prop_assert_eq!(window.start % unit.seconds(), 0);
            let left = window.left(now);
            prop_assert!(left > Duration::ZERO && left <= Duration::from_secs(unit.seconds()));
            let next = Window::at(now + left, unit);
            prop_assert_eq!(next.start, window.end);
            let last = now + left - Duration::from_nanos(1);
            prop_assert_eq!(Window::at(last, unit), window);
        }

        /// Moments of one window agree on it; so do several servers whose clocks do.
        #[test]
        fn all_moments_of_a_window_agree(seconds in 0_u64..u64::from(u32::MAX), offset in 0_u64..86_400, unit in select(&UNITS)) {
            let window = Window::at(Duration::from_secs(seconds), unit);
            let other = window.start + offset % unit.seconds();
            prop_assert_eq!(Window::at(Duration::from_secs(other), unit), window);
        }
    }

    #[test]
    fn windows_begin_at_whole_units() {
        let at = |seconds, unit| Window::at(Duration::from_secs(seconds), unit);
        assert_eq!(at(0, Unit::Minute), Window { start: 0, end: 60 });
        assert_eq!(at(59, Unit::Minute), Window { start: 0, end: 60 });
        assert_eq!(at(60, Unit::Minute), Window { start: 60, end: 120 });
        // 2027-01-01T12:34:56Z.
        assert_eq!(at(1_798_806_896, Unit::Hour), Window { start: 1_798_804_800, end: 1_798_808_400 });
        assert_eq!(at(1_798_806_896, Unit::Day).start, 1_798_761_600);
    }
}

//! Where hits are counted: in memory, or in a Redis that several servers share.

mod memory;
mod redis;

use std::fmt::Write;
use std::time::Duration;

pub(crate) use memory::MemoryCounters;
pub use redis::InvalidRedisUrl;
pub(crate) use redis::RedisCounters;

use crate::window::Window;
use crate::{Descriptor, Unit};

/// Hits to be added to one counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Increment {
    /// The counter's name, which includes its window.
    pub(crate) key: String,
    /// How many hits.
    pub(crate) hits: u32,
    /// The window, after which the counter may be forgotten.
    pub(crate) window: Window,
}

/// The counters cannot be reached, or take no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CountersDown(pub(crate) String);

/// The counters of a server.
#[derive(Debug)]
pub(crate) enum Counters {
    /// In this process.
    Memory(MemoryCounters),
    /// In a Redis.
    Redis(RedisCounters),
}

impl Counters {
    /// Adds all increments and returns each counter's value after its own, in order. Each addition is atomic, so of N
    /// concurrent hits exactly those with a value up to the limit are admitted.
    pub(crate) async fn add(
        &self,
        increments: &[Increment],
        now: Duration,
    ) -> Result<Vec<u64>, CountersDown> {
        match self {
            Self::Memory(memory) => memory.add(increments, now),
            Self::Redis(redis) => redis.add(increments).await,
        }
    }
}

/// The name of a descriptor's counter in a window. Different descriptors never share a name, whatever is in them, and
/// a limit whose unit changes starts afresh.
pub(crate) fn key(domain: &str, descriptor: &Descriptor, unit: Unit, window: Window) -> String {
    let mut key = String::from("meshd-rate-limit:");
    escape(domain, &mut key);
    for (name, value) in &descriptor.entries {
        key.push(':');
        escape(name, &mut key);
        key.push('=');
        escape(value, &mut key);
    }
    let _ = write!(key, ":{}:{}", unit.name(), window.start);
    key
}

/// Escapes what separates the parts of a key.
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '%' => into.push_str("%25"),
            ':' => into.push_str("%3a"),
            '=' => into.push_str("%3d"),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn descriptors() -> impl Strategy<Value = (String, Descriptor)> {
        let part = "[a:=%]{0,3}";
        let entries = prop::collection::vec((part, part), 0..3);
        (part, entries).prop_map(|(domain, entries)| (domain, Descriptor { entries }))
    }

    proptest! {
        #[test]
        fn different_descriptors_have_different_keys(one in descriptors(), two in descriptors()) {
            let window = Window { start: 0, end: 60 };
            let key = |(domain, descriptor): &(String, Descriptor)| key(domain, descriptor, Unit::Minute, window);
            prop_assert_eq!(key(&one) == key(&two), one == two);
        }
    }

    #[test]
    fn keys_are_readable() {
        let window = Window { start: 120, end: 180 };
        let descriptor = Descriptor::one("header_match", "gold_request");
        assert_eq!(
            key("shop", &descriptor, Unit::Minute, window),
            "meshd-rate-limit:shop:header_match=gold_request:minute:120"
        );
    }
}

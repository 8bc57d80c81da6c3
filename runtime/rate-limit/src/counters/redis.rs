//! Counters in a Redis that several servers share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};
use tokio::time::timeout;

use super::{CountersDown, Increment};

/// Adds all hits in one round trip. A counter expires one window length after its first hit, which is never before its
/// window ends, even if the servers' clocks differ a little.
const ADD: &str = r"
local values = {}
for i, key in ipairs(KEYS) do
  local hits = tonumber(ARGV[2 * i - 1])
  local value = redis.call('INCRBY', key, hits)
  if value == hits then redis.call('EXPIRE', key, ARGV[2 * i]) end
  values[i] = value
end
return values
";

/// A peer that vanished without closing its connection answers nothing any more; after so many unanswered calls in a
/// row the connection is given up and made anew.
const GIVE_UP_AFTER: u32 = 3;

/// A URL that does not name a Redis. The URL itself is not repeated, because it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a usable Redis URL, such as `redis://redis:6379/0`: {reason}")]
pub struct InvalidRedisUrl {
    /// What is wrong with it.
    pub reason: String,
}

/// A connection to one Redis, made by the first call and again after it broke.
pub(crate) struct RedisCounters {
    client: Client,
    connection: ArcSwap<ConnectionManager>,
    script: Script,
    patience: Duration,
    unanswered: AtomicU32,
}

/// Without the URL, which may hold a password.
impl std::fmt::Debug for RedisCounters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RedisCounters").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl RedisCounters {
    /// Counters in the Redis of a URL; no call takes longer than `patience`, connecting included. Nothing is connected
    /// yet, so a Redis that is down is no error here.
    pub(crate) fn new(url: &str, patience: Duration) -> Result<Self, InvalidRedisUrl> {
        let invalid = |error: redis::RedisError| InvalidRedisUrl { reason: error.to_string() };
        let client = Client::open(url).map_err(invalid)?;
        let connection = connect(&client, patience).map_err(invalid)?;
        Ok(Self {
            client,
            connection: ArcSwap::from_pointee(connection),
            script: Script::new(ADD),
            patience,
            unanswered: AtomicU32::new(0),
        })
    }

    /// Adds all increments and returns the values after each.
    pub(crate) async fn add(&self, increments: &[Increment]) -> Result<Vec<u64>, CountersDown> {
        let mut invocation = self.script.prepare_invoke();
        for Increment { key, hits, window } in increments {
            invocation.key(key).arg(*hits).arg(window.end.saturating_sub(window.start));
        }
        let mut connection = ConnectionManager::clone(&self.connection.load());
        let answer = timeout(self.patience, invocation.invoke_async::<Vec<u64>>(&mut connection)).await;
        let reason = match answer {
            Ok(Ok(values)) if values.len() == increments.len() => {
                self.unanswered.store(0, Ordering::Relaxed);
                return Ok(values);
            }
            Ok(Ok(_)) => "Redis answered with the wrong number of values".to_owned(),
            Ok(Err(error)) if !error.is_timeout() => format!("Redis: {error}"),
            Ok(Err(_)) | Err(_) => {
                self.give_up_on_silence();
                format!("Redis did not answer within {} ms", self.patience.as_millis())
            }
        };
        Err(CountersDown(reason))
    }

    fn give_up_on_silence(&self) {
        if self.unanswered.fetch_add(1, Ordering::Relaxed).saturating_add(1) < GIVE_UP_AFTER {
            return;
        }
        self.unanswered.store(0, Ordering::Relaxed);
        if let Ok(connection) = connect(&self.client, self.patience) {
            self.connection.store(connection.into());
        }
    }
}

fn connect(client: &Client, patience: Duration) -> redis::RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(Some(patience))
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(100));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

//! Whoever makes trouble: configurations and certificates change, and origins fail, by dice.

use crate::clients::Shared;
use crate::dice::Dice;
use crate::ledger::Place;
use crate::origins::Origin;
use crate::proxies::{Knobs, Places, Proxies};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long it takes at most until the listener that goes is gone, with whoever is just connecting.
const GOING: Duration = Duration::from_secs(60);

/// Some of these, at least `least`.
fn some<T: Copy>(all: &[T], least: usize, dice: &mut Dice) -> Vec<T> {
    let mut some = all.to_vec();
    while some.len() > least && dice.one_in(2) {
        some.remove(dice.below(some.len()));
    }
    some
}

/// Changes configurations and certificates, every two seconds on average.
pub(crate) async fn reloads(
    shared: &Shared,
    proxies: &mut Proxies,
    places: &Places,
    mut knobs: Knobs,
    until: Instant,
    dice: &mut Dice,
) {
    let (whole, reader) = (knobs.clone(), proxies.reader());
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500 + dice.below(2_000) as u64)).await;
        knobs.turn += 1;
        let what = dice.below(10);
        let name = match what {
            0 | 1 => {
                let name = if what == 0 { "caller" } else { "callee" };
                let before = reader.number(name, "meshd_identity_reloads_total").await;
                proxies.renew(name);
                reader.rises(name, "meshd_identity_reloads_total", before).await;
                shared.ledger.count("certificates renewed");
                continue;
            }
            2 | 3 => {
                knobs.extra = !knobs.extra;
                "caller"
            }
            4 => {
                knobs.gateways = some(&places.gateways, 1, dice);
                "caller"
            }
            5 => "caller",
            6 => "gateway",
            7 => {
                knobs.twos = some(&whole.twos, 2, dice);
                "callee"
            }
            _ => {
                // One may be refusing connections just now, and a request is tried on two.
                knobs.ones = some(&whole.ones, 2, dice);
                "callee"
            }
        };
        let goes = matches!(what, 2 | 3) && !knobs.extra;
        if goes {
            shared.extra_is_open.store(false, Ordering::SeqCst);
            shared.ledger.window(Place::Extra, GOING);
        }
        let before = reader.number(name, "meshd_config_version").await;
        proxies.write(name, &knobs);
        reader.rises(name, "meshd_config_version", before).await;
        shared.extra_is_open.store(knobs.extra, Ordering::SeqCst);
        shared.ledger.count(&format!("reload of {name}"));
        if goes {
            shared.ledger.over(Place::Extra);
            shared.ledger.count("listener gone");
        }
    }
    // All that comes and goes is there at the end, as it was at the beginning.
    for name in ["caller", "callee"] {
        let before = reader.number(name, "meshd_config_version").await;
        proxies.write(name, &Knobs { turn: knobs.turn + 1, ..whole.clone() });
        reader.rises(name, "meshd_config_version", before).await;
    }
    shared.extra_is_open.store(true, Ordering::SeqCst);
}

/// Lets origins fail, one after the other: they refuse connections for a while, with those that are open or without.
pub(crate) async fn failures(
    shared: Arc<Shared>,
    mut origins: Vec<Origin>,
    until: Instant,
    mut dice: Dice,
) -> Vec<Origin> {
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(1_000 + dice.below(5_000) as u64)).await;
        let one = dice.below(origins.len());
        let broken = dice.one_in(2);
        shared.ledger.count(if broken { "origin restarted" } else { "origin refused" });
        origins[one].fail(Duration::from_millis(dice.below(1_500) as u64), broken).await;
    }
    origins
}

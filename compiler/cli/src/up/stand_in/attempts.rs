//! How often a service was asked the same, by the id of the request: proxies that send a request again keep it.

use std::collections::{HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::Instance;

/// How many requests are remembered.
const REMEMBERED: usize = 4096;

/// Requests by service and id, and in the order in which they came first.
#[derive(Default)]
struct Attempts {
    counts: HashMap<(String, Vec<u8>), u32>,
    order: VecDeque<(String, Vec<u8>)>,
}

/// Those of all applications of this process: a request is sent again to other clusters, too.
static ALL: LazyLock<Mutex<Attempts>> = LazyLock::new(Mutex::default);

/// Which attempt this is, counted from 1, at any instance of the service; none for a request without an id.
pub(super) fn count(instance: &Instance, headers: &HeaderMap) -> Option<u32> {
    // A header on several lines is the same as on one (RFC 9110, section 5.3), and proxies make one of them or not.
    let lines: Vec<&[u8]> = headers.get_all("x-request-id").iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return None;
    }
    let key = (instance.whole().to_owned(), lines.join(&b","[..]));
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    Some(all.count(key))
}

impl Attempts {
    fn count(&mut self, key: (String, Vec<u8>)) -> u32 {
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.counts.insert(key, 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_service_and_id() {
        let mut attempts = Attempts::default();
        let mut count = |service: &str, id: &str| attempts.count((service.to_owned(), id.into()));
        assert_eq!([count("a", "1"), count("a", "1"), count("b", "1"), count("a", "2")], [1, 2, 1, 1]);
        // What came long ago is forgotten.
        for number in 0..REMEMBERED {
            assert_eq!(count("c", &number.to_string()), 1);
        }
        assert_eq!(count("a", "1"), 1);
        assert_eq!(attempts.counts.len(), attempts.order.len());
    }

    #[test]
    fn subsets_are_one_service_and_requests_without_an_id_are_not_counted() {
        let of = |service: &str| Instance { service: service.to_owned(), cluster: String::from("west") };
        let mut headers = HeaderMap::new();
        assert_eq!(count(&of("shop.web.v1"), &headers), None);
        headers.insert("x-request-id", "of-this-test".parse().unwrap());
        assert_eq!(count(&of("shop.web.v1"), &headers), Some(1));
        assert_eq!(count(&of("shop.web.v2"), &headers), Some(2));
        // Two lines and one that joins them are one id, and another than the first line alone.
        headers.append("x-request-id", "and-more".parse().unwrap());
        assert_eq!(count(&of("shop.web"), &headers), Some(1));
        headers.insert("x-request-id", "of-this-test,and-more".parse().unwrap());
        assert_eq!(count(&of("shop.web"), &headers), Some(2));
    }
}

//! A limit that each pod counts.

use std::time::Duration;

use meshc_plan::{LimitBucket, LimitCondition, LocalLimit};
use meshc_vocabulary::model::policy::Enforcement;
use meshc_vocabulary::model::{HttpMatch, PathMatch};

use super::build::origin;

pub(super) fn per_pod() -> LocalLimit {
    let values = vec!["gold".to_owned()];
    LocalLimit {
        name: "burst".to_owned(),
        matches: HttpMatch { path: PathMatch::Prefix("/".to_owned()), ..Default::default() },
        buckets: vec![
            LimitBucket {
                value: "otherwise".to_owned(),
                condition: LimitCondition::HeaderIsNoneOf { header: "x-loyalty".to_owned(), values },
                keys: Vec::new(),
                requests: 100,
                burst: 100,
                per: Duration::from_secs(1),
            },
            LimitBucket {
                value: "all_request".to_owned(),
                condition: LimitCondition::Always,
                keys: Vec::new(),
                requests: 1000,
                burst: 1000,
                per: Duration::from_secs(1),
            },
        ],
        mode: Enforcement::Enforced,
        origin: origin("burst"),
    }
}

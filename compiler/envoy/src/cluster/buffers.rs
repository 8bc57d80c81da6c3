//! What the kernel keeps of an application's answers.

use meshc_plan::{Group, Serves};

use crate::pb::base::BindConfig;
use crate::{keepalive, limits};

/// Linux: `SOL_SOCKET` with `SO_RCVBUF` (socket(7)).
const RECEIVE_BUFFER: (i64, i64) = (1, 8);

/// For connections to the application; `None` for a group of anything else. The kernel's buffer grows with what is read,
/// and all of it fills with an answer that its client stops reading. Over loopback a small one costs no throughput.
pub(super) fn of_application(group: &Group) -> Option<BindConfig> {
    let is_application = |endpoint: &meshc_plan::Endpoint| match endpoint.serves {
        Serves::App => true,
        Serves::Proxy { .. } | Serves::External { .. } | Serves::RateLimit => false,
    };
    let option =
        keepalive::option(RECEIVE_BUFFER, limits::LOOPBACK_BUFFER, "bytes that are received and not read");
    group
        .endpoints
        .iter()
        .all(is_application)
        .then(|| BindConfig { socket_options: vec![option], ..Default::default() })
}

//! `grpc.health.v1.Health`: whatever the service is called, it serves while the application is well, since the application
//! stands in for any.

use futures_util::stream;
use tonic::{Request, Status, Streaming};

use super::super::{Behaviour, Told};
use super::messages::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use super::{Answers, descriptors, once, only};

/// The number of `SERVING`.
pub(super) const SERVING: i32 = 1;
/// The number of `NOT_SERVING`.
pub(super) const NOT_SERVING: i32 = 2;

/// How a service is. Where the application is not well, no call comes here.
pub(super) async fn check(
    asked: Request<Streaming<HealthCheckRequest>>,
) -> Result<Answers<HealthCheckResponse>, Status> {
    only(&mut asked.into_inner()).await?;
    Ok(once(HealthCheckResponse { status: SERVING }))
}

/// How those services are whose names are known.
pub(super) async fn list(
    asked: Request<Streaming<HealthListRequest>>,
) -> Result<Answers<HealthListResponse>, Status> {
    only(&mut asked.into_inner()).await?;
    let serving = |name| (name, HealthCheckResponse { status: SERVING });
    let names = std::iter::once(String::new()).chain(descriptors::services());
    Ok(once(HealthListResponse { statuses: names.map(serving).collect() }))
}

/// How a service is, and how it comes to be. While the application hangs, nothing is said.
pub(super) async fn watch(
    asked: Request<Streaming<HealthCheckRequest>>,
    told: Told,
) -> Result<Answers<HealthCheckResponse>, Status> {
    only(&mut asked.into_inner()).await?;
    let answers = stream::unfold((told.behaviour, None), |(mut behaviour, last)| async move {
        loop {
            let status = status(*behaviour.borrow_and_update());
            if let Some(status) = status.filter(|status| Some(*status) != last) {
                return Some((Ok(HealthCheckResponse { status }), (behaviour, Some(status))));
            }
            behaviour.changed().await.ok()?;
        }
    });
    Ok(Box::pin(answers))
}

fn status(behaviour: Behaviour) -> Option<i32> {
    match behaviour {
        Behaviour::Well => Some(SERVING),
        Behaviour::Error | Behaviour::Gone => Some(NOT_SERVING),
        Behaviour::Hang => None,
    }
}

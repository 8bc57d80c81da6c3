//! Calls and what is expected of them, in words.

use meshc_vocabulary::model::policy::Bound;
use meshc_vocabulary::model::{Cluster, Id};
use meshc_vocabulary::testing::{CallFrom, CallTest, Expected, Place};

use crate::expectation::Asking;
use crate::limits;

impl Asking<'_, '_> {
    /// A call as one would write it.
    pub(crate) fn name(&self, call: &CallTest) -> String {
        let model = self.world.model;
        let cluster = |cluster: Option<Id<Cluster>>| {
            cluster.map(|id| format!(" in {}", model.clusters.at(id).name)).unwrap_or_default()
        };
        let from = match call.from {
            CallFrom::Gateway(gateway, port) => {
                let name = model.gateway_name(gateway);
                match port.and_then(|port| model.gateways.at(gateway).ports.get(port)) {
                    Some(port) => format!("{name}.{}", port.name),
                    None => name,
                }
            }
            CallFrom::Service(service, place) => format!("{}{}", model.service_name(service), cluster(place)),
        };
        let port = call.to.port.as_ref().map(|port| format!(".{port}")).unwrap_or_default();
        let to = format!("{}{port}{}", model.callee_name(call.to.callee), cluster(call.to.cluster));
        match &call.request {
            Some(request) => format!("`{} {}` of `{from} -> {to}`", request.method, request.path),
            None => format!("`{from} -> {to}`"),
        }
    }

    /// What is expected, behind "is not".
    pub(crate) fn wanted(&self, expected: &Expected) -> String {
        let cluster = |id: &Id<Cluster>| format!("`{}`", self.world.model.clusters.at(*id).name);
        match expected {
            Expected::Allowed => String::from("allowed"),
            Expected::Refused => String::from("refused"),
            Expected::Reaches(None) => String::from("answered"),
            Expected::Reaches(Some(id)) => format!("answered in {}", cluster(id)),
            Expected::Answered(places) => {
                let places: Vec<String> = places.iter().map(|place| self.place(&place.value)).collect();
                format!("answered by {}", places.join(" and "))
            }
            Expected::Limited => String::from("limited"),
            Expected::Limit(None) => String::from("free of limits"),
            Expected::Limit(Some(rate)) => {
                format!("limited to {}", limits::text(rate.count, rate.unit.seconds() * 1000))
            }
            Expected::Timeout(Bound(None)) => String::from("without a timeout"),
            Expected::Timeout(Bound(Some(time))) => format!("ended after {}", milliseconds(*time)),
            Expected::Within(most) => format!("sure to end within {}", milliseconds(*most)),
            Expected::Status(status) => format!("answered with {status} by a proxy"),
        }
    }

    /// Pods that are expected to answer.
    pub(crate) fn place(&self, place: &Place) -> String {
        let model = self.world.model;
        match (place.service, place.cluster) {
            (Some(service), Some(cluster)) => {
                format!("`{} in {}`", model.service_name(service), model.clusters.at(cluster).name)
            }
            (Some(service), None) => format!("`{}`", model.service_name(service)),
            (None, Some(cluster)) => format!("`{}`", model.clusters.at(cluster).name),
            (None, None) => String::from("any pod"),
        }
    }
}

/// A duration as it would be written.
pub(crate) fn milliseconds(time: std::time::Duration) -> String {
    match time.as_millis() {
        whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
        other => format!("{other}ms"),
    }
}

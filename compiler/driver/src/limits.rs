//! What a cluster's rate-limit service counts, as its configuration files: the form of envoyproxy/ratelimit, which
//! `meshd rate-limit` reads too. One file per domain.

use std::collections::BTreeMap;

use meshc_plan::{Descriptor, RateLimitDomain, RateLimitService};
use meshc_yaml::{Value, map, to_string};

/// File name → contents.
#[must_use]
pub fn rate_limit_files(service: &RateLimitService) -> BTreeMap<String, String> {
    service.domains.iter().map(|domain| (format!("{}.yaml", domain.name), file(domain))).collect()
}

fn file(domain: &RateLimitDomain) -> String {
    let descriptors = domain.descriptors.iter().map(descriptor).collect();
    to_string(&map! { "domain" => domain.name.as_str(), "descriptors" => Value::List(descriptors) })
}

fn descriptor(descriptor: &Descriptor) -> Value {
    map! {
        "key" => descriptor.key.as_str(),
        "value" => descriptor.value.as_str(),
        "rate_limit" => map! {
            "unit" => descriptor.unit.as_str(),
            "requests_per_unit" => descriptor.requests,
        },
    }
}

#[cfg(test)]
mod tests {
    use lang_diagnostics::{FileId, Origin, Span};

    use super::*;

    #[test]
    fn one_domain_as_the_service_reads_it() {
        let domain = RateLimitDomain {
            name: String::from("catalog-loyalty"),
            descriptors: vec![Descriptor {
                key: String::from("header_match"),
                value: String::from("gold_request"),
                requests: 10,
                unit: String::from("minute"),
            }],
            origin: Origin::new(Span::new(FileId(0), 0, 0), "policy `loyalty`"),
        };
        let expected = "\
domain: catalog-loyalty
descriptors:
- key: header_match
  value: gold_request
  rate_limit:
    unit: minute
    requests_per_unit: 10
";
        assert_eq!(file(&domain), expected);
    }
}

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
    let leaves: Vec<Leaf<'_>> = domain.descriptors.iter().map(|one| (one.entries.as_slice(), one)).collect();
    to_string(&map! { "domain" => domain.name.as_str(), "descriptors" => tree(&leaves) })
}

/// The rest of a descriptor's entries, and the descriptor.
type Leaf<'d> = (&'d [Entry], &'d Descriptor);

/// A key, and a value unless it is any.
type Entry = (String, Option<String>);

/// The file is a tree: descriptors that begin alike share what they have in common.
fn tree(leaves: &[Leaf<'_>]) -> Value {
    let mut nodes: Vec<(&Entry, Vec<Leaf<'_>>)> = Vec::new();
    for (entries, descriptor) in leaves {
        let Some((first, rest)) = entries.split_first() else { continue };
        match nodes.iter_mut().find(|(known, _)| *known == first) {
            Some((_, below)) => below.push((rest, descriptor)),
            None => nodes.push((first, vec![(rest, descriptor)])),
        }
    }
    Value::List(nodes.into_iter().map(|(entry, below)| node(entry, &below)).collect())
}

fn node((key, value): &Entry, below: &[Leaf<'_>]) -> Value {
    let mut members = vec![(String::from("key"), Value::from(key.as_str()))];
    members.extend(value.as_ref().map(|value| (String::from("value"), Value::from(value.as_str()))));
    if let Some((_, own)) = below.iter().find(|(rest, _)| rest.is_empty()) {
        let limit = map! { "unit" => own.unit.as_str(), "requests_per_unit" => own.requests };
        members.push((String::from("rate_limit"), limit));
    }
    if below.iter().any(|(rest, _)| !rest.is_empty()) {
        members.push((String::from("descriptors"), tree(below)));
    }
    Value::Map(members)
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
                entries: vec![(String::from("header_match"), Some(String::from("gold_request")))],
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

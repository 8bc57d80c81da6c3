//! The names of all attributes, and the words of those kinds that others refer to, each made once.
//!
//! The schema, the conversions and the references between kinds use these constants, so that none of them can be renamed
//! without the others.

use lang_evaluate::schema::Name;

/// Makes a constant for each name.
macro_rules! names {
    ($($constant:ident = $text:literal;)+) => {
        $(pub(crate) const $constant: Name = Name::new($text);)+

        #[cfg(test)]
        const ALL: &[Name] = &[$($constant),+];
    };
}

names! {
    ACCOUNT = "account";
    ADD = "add";
    ADDRESS = "address";
    ADDRESSES = "addresses";
    ALLOW = "allow";
    ALPN = "alpn";
    ALLOW_CREDENTIALS = "allow_credentials";
    ALLOW_HEADERS = "allow_headers";
    ALLOW_METHODS = "allow_methods";
    ALLOW_ORIGIN_REGEXES = "allow_origin_regexes";
    ALLOW_ORIGINS = "allow_origins";
    ANNOTATIONS = "annotations";
    ATTEMPTS = "attempts";
    BETWEEN = "between";
    BACK_OFF = "back_off";
    BIND = "bind";
    BODY = "body";
    BURST = "burst";
    BY = "by";
    CA = "ca";
    CALLEE = "callee";
    CALLEES = "callees";
    CALLS = "calls";
    CAPTURE = "capture";
    CHECK = "check";
    CLASS = "class";
    CLIENTS = "clients";
    CLIENT_CA = "client_ca";
    CLIENT_CERTIFICATE = "client_certificate";
    CLUSTERS = "clusters";
    COMMON_NAME = "common_name";
    CONNECT_TIMEOUT = "connect_timeout";
    CONSECUTIVE_5XX = "consecutive_5xx";
    CONSECUTIVE_FAILURES = "consecutive_failures";
    CONSECUTIVE_GATEWAY_ERRORS = "consecutive_gateway_errors";
    CONTAINER = "container";
    CONTENT_TYPE = "content_type";
    COOKIE = "cookie";
    COOKIES = "cookies";
    COST = "cost";
    CPU = "cpu";
    CRITICAL = "critical";
    CPU_LIMIT = "cpu_limit";
    DATA_PLANE = "data_plane";
    DENY = "deny";
    DIRECTORY = "directory";
    DEFAULT_HOST = "default_host";
    DOMAIN = "domain";
    EJECTION = "ejection";
    ENABLED = "enabled";
    EVERY_GATEWAY = "every_gateway";
    EXACT = "exact";
    EXTERNAL_TRAFFIC = "external_traffic";
    EXPOSE_HEADERS = "expose_headers";
    FAIL = "fail";
    FAILOVER = "failover";
    FALLBACK = "fallback";
    FAILURES = "failures";
    FAILURE_PERCENTAGE = "failure_percentage";
    FROM = "from";
    GATEWAY = "gateway";
    GATEWAYS = "gateways";
    GRPC = "grpc";
    HEDGE = "hedge";
    HEADER = "header";
    HEADERS = "headers";
    HEALTHY = "healthy";
    HOST = "host";
    HOSTS = "hosts";
    IDLE = "idle";
    IGNORE_CASE = "ignore_case";
    IMAGE = "image";
    INTERVAL = "interval";
    IP_FAMILY = "ip_family";
    ISSUER = "issuer";
    KIND = "kind";
    KUBERNETES = "kubernetes";
    LABELS = "labels";
    LATENCY = "latency";
    LIFETIME = "lifetime";
    LIMIT = "limit";
    LIMITED = "limited";
    LOCALITY = "locality";
    MAX_AGE = "max_age";
    MAX_AMPLIFICATION = "max_amplification";
    MAX_BACK_OFF = "max_back_off";
    MAX_BODY = "max_body";
    MAX_CONCURRENT_REQUESTS = "max_concurrent_requests";
    MAX_CONNECTIONS = "max_connections";
    MAX_EJECTED = "max_ejected";
    MAX_PENDING_REQUESTS = "max_pending_requests";
    MAX_RETRY_AFTER = "max_retry_after";
    METHOD = "method";
    METHODS = "methods";
    MAX_REPLICAS = "max_replicas";
    MEMORY = "memory";
    MEMORY_LIMIT = "memory_limit";
    MIN_REPLICAS = "min_replicas";
    MINIMUM_VERSION = "minimum_version";
    MOST = "most";
    MIN_CONCURRENT_RETRIES = "min_concurrent_retries";
    MIN_ENDPOINTS = "min_endpoints";
    MIN_REQUESTS = "min_requests";
    MODE = "mode";
    MTLS = "mtls";
    NAMES = "names";
    NAMESPACE = "namespace";
    NETWORK = "network";
    NETWORK_POLICY = "network_policy";
    NODE_PORT = "node_port";
    NOT = "not";
    NUMBER = "number";
    ON_ERROR = "on_error";
    OTHER_LOCALITIES = "other_localities";
    OTHERWISE = "otherwise";
    PATH = "path";
    PATHS = "paths";
    PER_TRY_IDLE = "per_try_idle";
    PER_TRY_TIMEOUT = "per_try_timeout";
    PLATFORM = "platform";
    PORT = "port";
    PORTS = "ports";
    PREFIX = "prefix";
    PROTOCOL = "protocol";
    PROXY_PROTOCOL = "proxy_protocol";
    QUERY = "query";
    REACHES = "reaches";
    RECEIVE = "receive";
    REDIRECT = "redirect";
    QUERIES = "queries";
    RATE = "rate";
    RATE_LIMITS = "rate_limits";
    REGEX = "regex";
    REGION = "region";
    REMOVE = "remove";
    REPLICAS = "replicas";
    REQUEST = "request";
    REQUESTS_PER_CONNECTION = "requests_per_connection";
    RETRY_BUDGET = "retry_budget";
    ROLE = "role";
    ROUTES = "routes";
    SCHEME = "scheme";
    SCOPE = "scope";
    SECRET = "secret";
    SEND = "send";
    SERVICE = "service";
    SET = "set";
    SHARE = "share";
    SLOW_START = "slow_start";
    SNI = "sni";
    SOURCE = "source";
    SOURCES = "sources";
    SPILL = "spill";
    STARTS_WITH = "starts_with";
    STATE = "state";
    STATUS = "status";
    SUBSTITUTION = "substitution";
    SUCCESS_DEVIATION = "success_deviation";
    TARGET = "target";
    TARGETS = "targets";
    THROUGH = "through";
    TIERS = "tiers";
    TIME = "time";
    TIMEOUT = "timeout";
    TO = "to";
    TOTAL = "total";
    TRUST = "trust";
    TRUST_DOMAIN = "trust_domain";
    TYPE = "type";
    TRUSTED_HOPS = "trusted_hops";
    TTL = "ttl";
    UNHEALTHY = "unhealthy";
    UPGRADE = "upgrade";
    VIP = "vip";
    WEIGHT = "weight";
    WHEN = "when";
    ZONE = "zone";
}

/// The words of kinds that references name.
pub(crate) mod kind {
    pub(crate) const CLIENT: &str = "client";
    pub(crate) const CLUSTER: &str = "cluster";
    pub(crate) const EXTERNAL: &str = "external";
    pub(crate) const GATEWAY: &str = "gateway";
    pub(crate) const NAMESPACE: &str = "namespace";
    pub(crate) const NETWORK: &str = "network";
    pub(crate) const PORT: &str = "port";
    pub(crate) const ROUTE: &str = "route";
    pub(crate) const TRUST: &str = "trust";
    pub(crate) const SERVICE: &str = "service";
    pub(crate) const SUBSET: &str = "subset";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lang_evaluate::schema::{Attribute, Constant, Kind, Presence, Type, assertion};

    use super::*;
    use crate::kind::SCHEMA;

    /// Every attribute of every kind, with the word of the kind.
    fn attributes() -> Vec<(&'static str, &'static Attribute)> {
        fn collect(kind: &'static Kind, found: &mut Vec<(&'static str, &'static Attribute)>) {
            for attribute in kind.attributes {
                found.push((kind.word, attribute));
                if let Type::Tagged(tags) = attribute.ty {
                    found.extend(tags.iter().flat_map(|tag| tag.attributes).map(|inner| (kind.word, inner)));
                }
            }
            kind.blocks.iter().for_each(|nested| collect(nested.kind, found));
        }
        let mut found = Vec::new();
        collect(SCHEMA.file, &mut found);
        found
    }

    #[test]
    fn every_name_is_made_once_and_used() {
        // Those of an assertion belong to the language.
        let all: Vec<Name> = ALL.iter().copied().chain([assertion::CONDITION, assertion::MESSAGE]).collect();
        let made: BTreeSet<_> = all.iter().map(|name| name.text()).collect();
        assert_eq!(made.len(), all.len(), "a name is made twice");
        let used: BTreeSet<_> = attributes().into_iter().map(|(_, attribute)| attribute.name).collect();
        assert_eq!(made, used);
    }

    #[test]
    fn every_default_word_is_one_of_its_attribute() {
        for (kind, attribute) in attributes() {
            let Presence::Default(Constant::Symbol(default)) = attribute.presence else { continue };
            let words: Vec<&str> = if let Type::Symbol(symbols) = &attribute.ty {
                symbols.iter().map(|symbol| symbol.word).collect()
            } else if let Type::Tagged(tags) = &attribute.ty {
                tags.iter().map(|tag| tag.word).collect()
            } else {
                panic!("{kind}.{}: {:?}", attribute.name, attribute.ty)
            };
            let known = words.contains(&default);
            assert!(known, "{kind}.{} defaults to `{default}`", attribute.name);
        }
    }
}

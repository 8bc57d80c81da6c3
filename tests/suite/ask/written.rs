//! The text of a described mesh.

use crate::described::{
    Action, Described, Except, HeaderIs, Match, PathIs, Route, Rule, Scope, Service, Source,
};

impl Described {
    /// As `meshc` reads it.
    pub(crate) fn text(&self) -> String {
        let mut text =
            String::from("mesh m { trust_domain = \"cluster.local\", trust = house }\ntrust house {}\n");
        let mut networks: Vec<usize> = self.clusters.iter().map(|cluster| cluster.network).collect();
        networks.sort_unstable();
        networks.dedup();
        for network in networks {
            text.push_str(&format!("network n{network} {{}}\n"));
        }
        for (number, cluster) in self.clusters.iter().enumerate() {
            text.push_str(&format!("cluster c{number} {{\n  network = n{}\n", cluster.network));
            text.push_str(&format!("  region = \"r{}\"\n  domain = \"c{number}.example\"\n", cluster.region));
            if cluster.zone > 0 {
                text.push_str(&format!("  zone = \"z{}\"\n", cluster.zone));
            }
            if cluster.ingress {
                let port = "port http { number = 80 }";
                text.push_str(&format!(
                    "  gateway in {{ role = ingress, address = 10.0.{number}.1, {port} }}\n"
                ));
            }
            if self.several_networks() {
                text.push_str(&format!("  gateway ew {{ role = east_west, address = 10.0.{number}.2 }}\n"));
            }
            text.push_str("}\n");
        }
        for namespace in ["shop", "bank"] {
            text.push_str(&format!("namespace {namespace} {{\n"));
            let own = self.services.iter().filter(|service| service.namespace == namespace);
            own.for_each(|service| self.service(service, &mut text));
            if namespace == "shop" {
                for (number, route) in self.routes.iter().enumerate() {
                    self.route(number, route, &mut text);
                }
            }
            text.push_str("}\n");
        }
        text
    }

    fn service(&self, service: &Service, text: &mut String) {
        let name = &service.name;
        let clusters: Vec<String> = service.clusters.iter().map(|cluster| format!("c{cluster}")).collect();
        let kind = if service.ports.is_empty() { "client" } else { "service" };
        text.push_str(&format!("  {kind} {name} {{\n    clusters = [{}]\n", clusters.join(", ")));
        for port in &service.ports {
            let protocol = if port.tcp { "tcp" } else { "http" };
            let number = port.number;
            text.push_str(&format!(
                "    port {} {{ number = {number}, target = {}, protocol = {protocol} }}\n",
                port.name,
                8000 + number % 1000
            ));
        }
        if !service.calls.is_empty() {
            let calls = service.calls.iter().map(|call| match call.port {
                Some(port) => self.port(call.callee, port),
                None => self.name(call.callee),
            });
            text.push_str(&format!("    calls = [{}]\n", calls.collect::<Vec<_>>().join(", ")));
        }
        text.push_str("  }\n");
        let mut settings = String::new();
        for (word, rules) in [("allow", &service.allow), ("deny", &service.deny)] {
            for rule in rules {
                settings.push_str(&format!("    {word} {{ {} }}\n", self.rule(rule)));
            }
        }
        if !service.failover {
            settings.push_str("    failover { enabled = false }\n");
        }
        if !settings.is_empty() {
            text.push_str(&format!("  policy p-{name} {{\n    targets = [{name}]\n{settings}  }}\n"));
        }
    }

    fn rule(&self, rule: &Rule) -> String {
        let Rule { from, matches, except } = rule;
        let mut parts = vec![self.from(from)];
        parts.extend(matches.iter().map(matched));
        if let Some(Except { from, matches }) = except {
            let mut inner: Vec<String> = if from.is_empty() { Vec::new() } else { vec![self.from(from)] };
            inner.extend(matches.iter().map(matched));
            parts.push(format!("except {{ {} }}", inner.join(", ")));
        }
        parts.join(", ")
    }

    fn from(&self, from: &[Source]) -> String {
        let one = |source: &Source| match source {
            Source::Everyone => String::from("everyone"),
            Source::Namespace(name) => (*name).to_owned(),
            Source::Service(service) => self.name(*service),
            Source::Ingress(cluster) => format!("c{cluster}.in"),
        };
        let mut names: Vec<String> = from.iter().map(one).collect();
        names.dedup();
        format!("from = [{}]", names.join(", "))
    }

    /// `shop.s0.p`
    pub(crate) fn port(&self, service: usize, port: usize) -> String {
        format!("{}.{}", self.name(service), self.services[service].ports[port].name)
    }

    fn route(&self, number: usize, route: &Route, text: &mut String) {
        text.push_str(&format!("  route r{number} {{\n"));
        match &route.scope {
            Scope::Gateways { clusters, hosts } => {
                let gateways: Vec<String> = clusters.iter().map(|cluster| format!("c{cluster}.in")).collect();
                text.push_str(&format!("    gateways = [{}]\n    hosts = {hosts:?}\n", gateways.join(", ")));
            }
            Scope::Calls { callee, port, from } => {
                text.push_str(&format!("    callee = {}\n", self.port(*callee, *port)));
                if !from.is_empty() {
                    let names: Vec<String> = from.iter().map(|caller| self.name(*caller)).collect();
                    text.push_str(&format!("    from = [{}]\n", names.join(", ")));
                }
            }
        }
        for rule in &route.rules {
            let mut parts: Vec<String> = rule.matches.iter().map(matched).collect();
            match &rule.action {
                Action::To(to) => {
                    parts.extend(to.iter().map(|(service, port, weight)| {
                        format!("destination {{ to = {}, weight = {weight} }}", self.port(*service, *port))
                    }));
                }
                Action::Redirect(status) => {
                    parts.push(format!("redirect {{ scheme = https, status = {status} }}"));
                }
                Action::Respond(status) => parts.push(format!("respond {{ status = {status} }}")),
            }
            if rule.stand_in {
                parts.push(String::from("failover = destinations"));
            }
            text.push_str(&format!("    rule {{ {} }}\n", parts.join(", ")));
        }
        text.push_str("  }\n");
    }
}

fn matched(one: &Match) -> String {
    let Match { path, methods, header, query, not_path } = one;
    let mut parts: Vec<String> = path.iter().map(on_path).collect();
    if !methods.is_empty() {
        parts.push(format!("methods = {methods:?}"));
    }
    parts.extend(header.iter().map(|header| match header {
        HeaderIs::Exactly(value) => format!("header x-t {{ exact = \"{value}\" }}"),
        HeaderIs::Begins(value) => format!("header x-t {{ prefix = \"{value}\" }}"),
        HeaderIs::There => String::from("header x-t {}"),
        HeaderIs::NotThere => String::from("header x-t { not = true }"),
        HeaderIs::Not(value) => format!("header x-t {{ exact = \"{value}\", not = true }}"),
    }));
    parts.extend(query.iter().map(|value| format!("query v {{ exact = \"{value}\" }}")));
    parts.extend(not_path.iter().map(|path| format!("not {{ {} }}", on_path(path))));
    format!("match {{ {} }}", parts.join(", "))
}

fn on_path(path: &PathIs) -> String {
    match path {
        PathIs::Exactly(text) => format!("path = \"{text}\""),
        PathIs::Below(text) => format!("prefix = \"{text}\""),
        PathIs::Begins(text) => format!("starts_with = \"{text}\""),
    }
}

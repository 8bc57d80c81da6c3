//! What `meshc up` prints when the mesh is ready: where everything is, with lines to copy.

use std::fmt::Write;
use std::path::PathBuf;

use meshc_local::{CallAddress, GatewayAddress, Layout};

/// The gateways and calls of a mesh; `certificates` says which file a client trusts where a gateway ends TLS.
pub(crate) fn table(layout: &Layout, certificates: &dyn Fn(&str, &str, &str) -> PathBuf) -> String {
    let mut text = String::new();
    let (east_west, ingress): (Vec<_>, Vec<_>) =
        layout.gateways.iter().partition(|gateway| gateway.passes_through);
    if !ingress.is_empty() {
        text.push_str("Through the gateways, as clients outside the mesh:\n");
        for gateway in ingress {
            gateway_lines(&mut text, gateway, certificates);
        }
    }
    if !layout.calls.is_empty() {
        text.push_str("Through the sidecars, as the applications inside:\n");
        for call in &layout.calls {
            call_lines(&mut text, call);
        }
    }
    if !east_west.is_empty() {
        text.push_str("Between the clusters:\n");
        for gateway in east_west {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "  {}.{} is at {}", gateway.cluster, gateway.gateway, gateway.address);
        }
    }
    text
}

fn gateway_lines(
    text: &mut String,
    gateway: &GatewayAddress,
    certificates: &dyn Fn(&str, &str, &str) -> PathBuf,
) {
    let _ = writeln!(text, "  {}.{}, port {}", gateway.cluster, gateway.gateway, gateway.number);
    if gateway.hosts.is_empty() {
        text.push_str("    no route leads through it\n");
    }
    for host in &gateway.hosts {
        // A host such as `*.example.org` stands for any name below it.
        let (host, secret) = (host.name.replace('*', "any"), &host.secret);
        let (ip, port) = (gateway.address.ip(), gateway.address.port());
        let _ = match secret {
            None => writeln!(text, "    curl -H 'Host: {host}' http://{ip}:{port}/"),
            // The name has to be in the address, too: a client asks for the certificate of that.
            Some(secret) => {
                let file = certificates(&gateway.cluster, &gateway.gateway, secret);
                let (file, route) = (file.display(), format!("{host}:{port}:{ip}"));
                writeln!(text, "    curl --cacert '{file}' --resolve {route} https://{host}:{port}/")
            }
        };
    }
}

fn call_lines(text: &mut String, call: &CallAddress) {
    let _ = writeln!(text, "  {} in {} calls {}:{}", call.caller, call.cluster, call.callee, call.port);
    let _ = match &call.host {
        Some(host) => writeln!(text, "    curl -H 'Host: {host}' http://{}/", call.address),
        None => writeln!(text, "    nc {} {}", call.address.ip(), call.address.port()),
    };
}

#[cfg(test)]
mod tests {
    use meshc_local::HostAddress;

    use super::*;

    #[test]
    fn lines_can_be_copied() {
        let gateway = |name: &str, hosts: &[&str]| GatewayAddress {
            cluster: String::from("west"),
            gateway: name.to_owned(),
            port: String::from("http"),
            number: 80,
            address: "127.0.0.1:1000".parse().unwrap(),
            hosts: hosts
                .iter()
                .map(|host| HostAddress {
                    name: (*host).to_owned(),
                    secret: (name == "secure").then(|| host.replace('.', "-").replace('*', "any")),
                })
                .collect(),
            tls: name == "eastwest" || name == "secure",
            passes_through: name == "eastwest",
        };
        let call = |host: Option<&str>| CallAddress {
            cluster: String::from("west"),
            caller: String::from("shop.web"),
            callee: String::from("shop.db"),
            port: 5432,
            address: "127.0.0.1:2000".parse().unwrap(),
            host: host.map(str::to_owned),
        };
        let layout = Layout {
            gateways: vec![
                gateway("ingress", &["web.example"]),
                gateway("secure", &["web.example", "*.shop.example"]),
                gateway("idle", &[]),
                gateway("eastwest", &[]),
            ],
            calls: vec![call(Some("db.shop")), call(None)],
            ..Layout::default()
        };
        let expected = "\
Through the gateways, as clients outside the mesh:
  west.ingress, port 80
    curl -H 'Host: web.example' http://127.0.0.1:1000/
  west.secure, port 80
    curl --cacert '/run/west.secure.web-example.pem' --resolve web.example:1000:127.0.0.1 https://web.example:1000/
    curl --cacert '/run/west.secure.any-shop-example.pem' --resolve any.shop.example:1000:127.0.0.1 https://any.shop.example:1000/
  west.idle, port 80
    no route leads through it
Through the sidecars, as the applications inside:
  shop.web in west calls shop.db:5432
    curl -H 'Host: db.shop' http://127.0.0.1:2000/
  shop.web in west calls shop.db:5432
    nc 127.0.0.1 2000
Between the clusters:
  west.eastwest is at 127.0.0.1:1000
";
        let file = |cluster: &str, gateway: &str, secret: &str| {
            PathBuf::from(format!("/run/{cluster}.{gateway}.{secret}.pem"))
        };
        assert_eq!(table(&layout, &file), expected);
    }
}

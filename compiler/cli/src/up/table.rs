//! What `meshc up` prints when the mesh is ready: where everything is, with lines to copy.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use meshc_local::{CallAddress, Carries, ExternalAddress, GatewayAddress, HostAddress, Layout};

use super::server_tls::ClientPaths;

/// Where files for clients of gateways that end TLS are, by cluster, gateway and Secret.
pub(crate) struct Files<'a> {
    /// The certificate to trust.
    pub(crate) trusted: &'a dyn Fn(&str, &str, &str) -> PathBuf,
    /// What the client itself shows.
    pub(crate) shown: &'a dyn Fn(&str, &str, &str) -> ClientPaths,
    /// The roots of hosts outside the mesh.
    pub(crate) outside: &'a Path,
}

/// The gateways and calls of a mesh.
pub(crate) fn table(layout: &Layout, files: &Files<'_>) -> String {
    let mut text = String::new();
    let between = |gateway: &&GatewayAddress| match gateway.carries {
        Carries::BetweenClusters => true,
        Carries::Requests | Carries::Tls | Carries::Bytes => false,
    };
    let (east_west, ingress): (Vec<_>, Vec<_>) = layout.gateways.iter().partition(between);
    if !ingress.is_empty() {
        text.push_str("Through the gateways, as clients outside the mesh:\n");
        for gateway in ingress {
            gateway_lines(&mut text, gateway, files);
        }
    }
    if !layout.calls.is_empty() {
        text.push_str("Through the sidecars, as the applications inside:\n");
        for call in &layout.calls {
            call_lines(&mut text, call, files.outside);
        }
    }
    if !layout.externals.is_empty() {
        text.push_str("In the place of hosts outside the mesh, which nothing here connects to:\n");
        for ExternalAddress { external, declared, number, address, .. } in &layout.externals {
            let _ = writeln!(text, "  {external}:{number}, {declared}, is at {address}");
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

fn gateway_lines(text: &mut String, gateway: &GatewayAddress, files: &Files<'_>) {
    let GatewayAddress {
        cluster,
        gateway: name,
        port: _,
        number,
        address,
        hosts,
        tls,
        carries,
        clients,
        proxy_protocol,
    } = gateway;
    let header = if *proxy_protocol { ", with the PROXY protocol" } else { "" };
    let _ = writeln!(text, "  {cluster}.{name}, port {number}{header}");
    let (ip, port) = (address.ip(), address.port());
    let haproxy = if *proxy_protocol { "--haproxy-protocol " } else { "" };
    if *carries == Carries::Bytes && *tls {
        // Below, by the hosts of its certificates.
    } else if *carries == Carries::Bytes {
        let _ = writeln!(text, "    nc {ip} {port}");
    } else if hosts.is_empty() {
        text.push_str("    no route leads through it\n");
    }
    let shown = clients.as_ref().map_or_else(String::new, |secret| {
        let ClientPaths { certificate, key } = (files.shown)(cluster, name, secret);
        format!("--cert '{}' --key '{}' ", certificate.display(), key.display())
    });
    for HostAddress { name: host, secret } in hosts {
        // A host such as `*.example.org` stands for any name below it.
        let host = host.replace('*', "any");
        let _ = match (carries, secret) {
            (Carries::Tls, _) => {
                writeln!(text, "    openssl s_client -connect {address} -servername {host}")
            }
            (Carries::Bytes, Some(secret)) => {
                let file = (files.trusted)(cluster, name, secret);
                let shown = shown.replace("--", "-");
                writeln!(
                    text,
                    "    openssl s_client -connect {address} -servername {host} {shown}-CAfile '{}'",
                    file.display()
                )
            }
            (Carries::Requests | Carries::Bytes | Carries::BetweenClusters, None) => {
                writeln!(text, "    curl {haproxy}-H 'Host: {host}' http://{address}/")
            }
            // The name has to be in the address, too: a client asks for the certificate of that.
            (Carries::Requests | Carries::BetweenClusters, Some(secret)) => {
                let file = (files.trusted)(cluster, name, secret);
                let bracketed = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
                let (file, route) = (file.display(), format!("{host}:{port}:{bracketed}"));
                writeln!(
                    text,
                    "    curl {haproxy}{shown}--cacert '{file}' --resolve {route} https://{host}:{port}/"
                )
            }
        };
    }
}

fn call_lines(text: &mut String, call: &CallAddress, roots: &Path) {
    let CallAddress { cluster, caller, callee, port, address, host, server_name } = call;
    let _ = writeln!(text, "  {caller} in {cluster} calls {callee}:{port}");
    // A host such as `*.example.org` stands for any name below it.
    let any = |host: &String| host.replace('*', "any");
    let _ = match (host.as_ref().map(any), server_name.as_ref().map(any)) {
        (Some(host), _) => writeln!(text, "    curl -H 'Host: {host}' http://{address}/"),
        (None, Some(host)) => {
            let (roots, to) = (roots.display(), format!("{host}:{port}:{address}"));
            writeln!(text, "    curl --cacert '{roots}' --connect-to {to} https://{host}:{port}/")
        }
        (None, None) => writeln!(text, "    nc {} {}", address.ip(), address.port()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshc_vocabulary::model::Protocol;

    #[test]
    fn addresses_of_ipv6_have_brackets_where_a_port_follows() {
        let host = |secret: Option<&str>| HostAddress {
            name: String::from("web.example"),
            secret: secret.map(str::to_owned),
        };
        let gateway = |carries, hosts| GatewayAddress {
            cluster: String::from("west"),
            gateway: String::from("in"),
            port: String::from("http"),
            number: 80,
            address: "[::1]:1000".parse().unwrap(),
            hosts,
            tls: false,
            carries,
            clients: None,
            proxy_protocol: false,
        };
        let gateways = vec![
            gateway(Carries::Requests, vec![host(None), host(Some("web"))]),
            gateway(Carries::Tls, vec![host(None)]),
            gateway(Carries::Bytes, Vec::new()),
        ];
        let layout = Layout { gateways, ..Layout::default() };
        let file = |_: &str, _: &str, _: &str| PathBuf::from("/run/web.pem");
        let shown = |_: &str, _: &str, _: &str| ClientPaths {
            certificate: PathBuf::from("/run/c"),
            key: PathBuf::from("/run/k"),
        };
        let expected = "\
Through the gateways, as clients outside the mesh:
  west.in, port 80
    curl -H 'Host: web.example' http://[::1]:1000/
    curl --cacert '/run/web.pem' --resolve web.example:1000:[::1] https://web.example:1000/
  west.in, port 80
    openssl s_client -connect [::1]:1000 -servername web.example
  west.in, port 80
    nc ::1 1000
";
        assert_eq!(
            table(&layout, &Files { trusted: &file, shown: &shown, outside: Path::new("/run/o") }),
            expected
        );
    }

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
            carries: match name {
                "eastwest" => Carries::BetweenClusters,
                "passed" => Carries::Tls,
                "bytes" => Carries::Bytes,
                _ => Carries::Requests,
            },
            clients: (name == "secure").then(|| String::from("partners")),
            proxy_protocol: name == "balanced",
        };
        let call = |host: Option<&str>| CallAddress {
            cluster: String::from("west"),
            caller: String::from("shop.web"),
            callee: String::from("shop.db"),
            port: 5432,
            address: "127.0.0.1:2000".parse().unwrap(),
            host: host.filter(|host| !host.starts_with("tls:")).map(str::to_owned),
            server_name: host.and_then(|host| host.strip_prefix("tls:")).map(str::to_owned),
        };
        let layout = Layout {
            gateways: vec![
                gateway("ingress", &["web.example"]),
                gateway("secure", &["web.example", "*.shop.example"]),
                gateway("balanced", &["web.example"]),
                gateway("passed", &["db.example"]),
                gateway("bytes", &[]),
                gateway("idle", &[]),
                gateway("eastwest", &[]),
            ],
            calls: vec![call(Some("db.shop")), call(None), call(Some("tls:*.pay.example"))],
            externals: vec![ExternalAddress {
                external: String::from("shop.pay"),
                hosts: vec![String::from("*.pay.example")],
                number: 443,
                declared: String::from("edge.pay.example"),
                protocol: Protocol::Tls,
                tls: None,
                address: "127.0.0.1:3000".parse().unwrap(),
            }],
            ..Layout::default()
        };
        let expected = "\
Through the gateways, as clients outside the mesh:
  west.ingress, port 80
    curl -H 'Host: web.example' http://127.0.0.1:1000/
  west.secure, port 80
    curl --cert '/run/c' --key '/run/k' --cacert '/run/west.secure.web-example.pem' --resolve web.example:1000:127.0.0.1 https://web.example:1000/
    curl --cert '/run/c' --key '/run/k' --cacert '/run/west.secure.any-shop-example.pem' --resolve any.shop.example:1000:127.0.0.1 https://any.shop.example:1000/
  west.balanced, port 80, with the PROXY protocol
    curl --haproxy-protocol -H 'Host: web.example' http://127.0.0.1:1000/
  west.passed, port 80
    openssl s_client -connect 127.0.0.1:1000 -servername db.example
  west.bytes, port 80
    nc 127.0.0.1 1000
  west.idle, port 80
    no route leads through it
Through the sidecars, as the applications inside:
  shop.web in west calls shop.db:5432
    curl -H 'Host: db.shop' http://127.0.0.1:2000/
  shop.web in west calls shop.db:5432
    nc 127.0.0.1 2000
  shop.web in west calls shop.db:5432
    curl --cacert '/run/outside.crt' --connect-to any.pay.example:5432:127.0.0.1:2000 https://any.pay.example:5432/
In the place of hosts outside the mesh, which nothing here connects to:
  shop.pay:443, edge.pay.example, is at 127.0.0.1:3000
Between the clusters:
  west.eastwest is at 127.0.0.1:1000
";
        let file = |cluster: &str, gateway: &str, secret: &str| {
            PathBuf::from(format!("/run/{cluster}.{gateway}.{secret}.pem"))
        };
        let shown = |_: &str, _: &str, _: &str| ClientPaths {
            certificate: PathBuf::from("/run/c"),
            key: PathBuf::from("/run/k"),
        };
        assert_eq!(
            table(&layout, &Files { trusted: &file, shown: &shown, outside: Path::new("/run/outside.crt") }),
            expected
        );
    }
}

//! `--app SERVICE=PORT`: a process of the user's own in the place of a stand-in application.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use meshc_local::Application;

use super::stand_in::Instance;
use crate::exit::Failure;

/// Whose place a process takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    /// `namespace.service`, or only `service` if that is enough; with a subset, or all of them.
    service: String,
    /// The application's port, if it has several.
    target: Option<u16>,
    /// Where the process listens: on loopback.
    address: SocketAddr,
}

impl FromStr for App {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form SERVICE=PORT, such as `shop.web=8080`");
        let (name, place) = text.split_once('=').ok_or_else(form)?;
        let (service, target) = match name.split_once(':') {
            None => (name, None),
            Some((service, target)) => (service, Some(target.parse().map_err(|_| form())?)),
        };
        if service.is_empty() {
            return Err(form());
        }
        let address = match (place.parse::<u16>(), place.parse::<SocketAddr>()) {
            (Ok(port), _) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            (Err(_), Ok(address)) => address,
            (Err(_), Err(_)) => return Err(form()),
        };
        if !address.ip().is_loopback() {
            return Err(format!(
                "{address} is not on loopback, and nothing of a mesh that runs here leaves this machine"
            ));
        }
        if address.port() == 0 {
            return Err(form());
        }
        Ok(Self { service: service.to_owned(), target, address })
    }
}

impl App {
    /// Where the process listens that takes the place of this port of an application, if one does.
    pub(crate) fn of(apps: &[Self], instance: &Instance, target: u16) -> Option<SocketAddr> {
        let named =
            |app: &&Self| instance.is_called(&app.service) && app.target.is_none_or(|own| own == target);
        apps.iter().find(named).map(|app| app.address)
    }

    /// Refuses what means no application, or several of its ports.
    pub(crate) fn check(apps: &[Self], applications: &[Application]) -> Result<(), Failure> {
        for App { service, target, address: _ } in apps {
            let instance = |it: &Application| Instance {
                service: format!("{}.{}", it.namespace, it.service),
                cluster: it.proxy.cluster.clone(),
            };
            let meant = applications.iter().filter(|it| instance(it).is_called(service));
            let mut ports: Vec<u16> = meant.flat_map(|it| it.ports.iter().map(|port| port.target)).collect();
            ports.sort_unstable();
            ports.dedup();
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let known = target.is_none_or(|target| ports.contains(&target.to_string()));
            match (ports.as_slice(), target) {
                ([], _) => {
                    return Err(Failure::new(format!("no application of a service `{service}` runs here")));
                }
                (several, Some(target)) if !known => {
                    let message = format!("the application of `{service}` has no port {target}");
                    return Err(Failure::new(message).help(format!("it has {}", several.join(", "))));
                }
                ([_, _, ..], None) => {
                    let message = format!("the application of `{service}` has several ports");
                    let help = format!("say which, such as `--app {service}:{}=…`", ports.join("` or `"));
                    return Err(Failure::new(message).help(help));
                }
                (_, _) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, Option<u16>, String), String> {
        text.parse().map(|App { service, target, address }| (service, target, address.to_string()))
    }

    #[test]
    fn a_place_is_a_port_of_this_machine() {
        let local =
            |service: &str, target, address: &str| Ok((service.to_owned(), target, address.to_owned()));
        assert_eq!(parsed("shop.web=8080"), local("shop.web", None, "127.0.0.1:8080"));
        assert_eq!(parsed("web:9000=8080"), local("web", Some(9000), "127.0.0.1:8080"));
        assert_eq!(parsed("web=127.0.0.2:80"), local("web", None, "127.0.0.2:80"));
        assert_eq!(parsed("web=[::1]:80"), local("web", None, "[::1]:80"));
        for elsewhere in ["web=10.0.0.1:80", "web=0.0.0.0:80", "web=[2001:db8::1]:80"] {
            assert!(parsed(elsewhere).unwrap_err().contains("is not on loopback"), "{elsewhere}");
        }
        for wrong in ["web", "web=", "=80", "web=0", "web=70000", "web=example.org:80", "web:a=80"] {
            assert!(parsed(wrong).unwrap_err().contains("not of the form"), "{wrong}");
        }
    }
}

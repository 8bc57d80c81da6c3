//! `meshd redirect`: packet-filter rules for a pod whose connections are captured by redirection.

use super::FAILED;
use meshd_redirect::Range;
use std::process::ExitCode;

/// Arguments of `meshd redirect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meshd redirect\n  meshd redirect --range 240.240.0.0/16 --range 100::/64 --to-port 15001\n\n\
    What an init container does for `capture = redirect`: TCP connections of this network namespace to the ranges go \
    to the port on 127.0.0.1 or ::1, as the address is, where `meshd run` or Envoy sees which address was meant; \
    anything else to the ranges is refused. Needs the capability NET_ADMIN and a kernel with nf_tables. Running it again changes nothing."
)]
pub(crate) struct Redirect {
    /// The virtual addresses; may be given for each family
    #[arg(long, value_name = "ADDRESS/BITS", default_value = "240.240.0.0/16")]
    range: Vec<Range>,
    /// The sidecar's outbound port.
    #[arg(long, value_name = "PORT", default_value_t = 15001)]
    to_port: u16,
}

impl Redirect {
    pub(super) fn run(self) -> ExitCode {
        match meshd_redirect::install(&self.range, self.to_port) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("meshd redirect: {error}");
                ExitCode::from(FAILED)
            }
        }
    }
}

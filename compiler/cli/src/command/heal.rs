//! `meshc heal`: makes a stand-in application of the running mesh work again.

use clap::Args;

use crate::completion;
use crate::exit::{Exit, Failure};
use crate::up::{Behaviour, switch};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc heal simple-backend --in west";

/// Arguments of `meshc heal`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The service: `namespace.name`, or only the name if that is enough; `name.subset`: one of its subsets.
    #[arg(add = completion::services())]
    service: String,
    /// The cluster whose instance works again.
    #[arg(long = "in", value_name = "CLUSTER", add = completion::clusters())]
    cluster: String,
}

/// Heals it.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    switch(&arguments.service, &arguments.cluster, Behaviour::Well)?;
    Ok(Exit::Ok)
}

//! `meshc fail`: makes a stand-in application of the running mesh fail.

use clap::{Args, ValueEnum};

use crate::completion;
use crate::exit::{Exit, Failure};
use crate::up::{Behaviour, switch};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc fail simple-backend --in west
  $ meshc fail istioinaction.simple-backend --in west --how gone

A service with subsets fails in all of them, or in one: SERVICE.SUBSET.

With several meshes running, the one that has the service in that cluster is
meant. Where several have it, they are listed, and MESH_CONTROL=SOCKET says
which one is meant; `meshc up` prints the socket of its own.";

/// Arguments of `meshc fail`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The service: `namespace.name`, or only the name if that is enough; `name.subset`: one of its subsets.
    #[arg(add = completion::services())]
    service: String,
    /// The cluster whose instance fails.
    #[arg(long = "in", value_name = "CLUSTER", add = completion::clusters())]
    cluster: String,
    /// How it fails.
    #[arg(long, value_enum, default_value = "error")]
    how: How,
}

/// How an application fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Every request is answered with 500, every call of gRPC with INTERNAL.
    Error,
    /// No request is answered.
    Hang,
    /// Its ports are closed, and its pods are no longer found by name.
    Gone,
}

/// Makes it fail.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let behaviour = match arguments.how {
        How::Error => Behaviour::Error,
        How::Hang => Behaviour::Hang,
        How::Gone => Behaviour::Gone,
    };
    switch(&arguments.service, &arguments.cluster, behaviour)?;
    Ok(Exit::Ok)
}

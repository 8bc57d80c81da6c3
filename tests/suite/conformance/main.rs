//! Behaviours that must be the same on the real Envoy and on meshd, from the same source, through `meshc up`.

mod adoption;
mod answers;
mod authorization;
mod balancing;
mod browser;
mod calls;
mod certificates;
mod clients;
mod conditions;
mod cross_cluster;
mod differences;
mod egress;
mod ejection;
mod ended_tls;
mod entrance;
mod failover;
mod families;
mod faults;
mod filters;
mod fixtures;
mod gateway;
mod gateway_limits;
mod grpc;
mod health;
mod hedging;
mod http10;
mod ingress;
mod judging;
mod limit_keys;
mod limits;
mod live;
mod localities;
mod machines;
mod mesh_limits;
mod operators;
mod outside;
mod pools;
mod real_clients;
mod redirects;
mod reload;
mod requests;
mod resets;
mod rules;
mod settings;
mod shapes;
mod shared;
mod shutdown;
mod slow;
mod streams;
mod strictness;
mod subsets;
mod times;
mod trailers;
mod upgrades;
mod uploads;
mod weights;

/// Makes one test per data plane out of a function over a data plane.
macro_rules! on_both_data_planes {
    ($($behaviour:ident),+ $(,)?) => {
        mod on_envoy {
            $(#[test] fn $behaviour() { super::$behaviour(mesh_tests::mesh::DataPlane::Envoy); })+
        }
        mod on_meshd {
            $(#[test] fn $behaviour() { super::$behaviour(mesh_tests::mesh::DataPlane::Meshd); })+
        }
    };
}
use on_both_data_planes;

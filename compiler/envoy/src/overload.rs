//! What Envoy does before it has used up its memory or its connections.

use std::time::Duration;

use envoy_types::pb::envoy::config::overload::v3::scale_timers_overload_action_config::{
    ScaleTimer, TimerType, scale_timer::OverloadAdjust,
};
use envoy_types::pb::envoy::config::overload::v3::{
    BufferFactoryConfig, OverloadAction, OverloadManager, ResourceMonitor, ScaleTimersOverloadActionConfig,
    ScaledTrigger, ThresholdTrigger, Trigger, resource_monitor::ConfigType, trigger::TriggerOneof,
};
use envoy_types::pb::envoy::extensions::resource_monitors::cgroup_memory::v3::CgroupMemoryConfig;
use envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;
use envoy_types::pb::envoy::extensions::resource_monitors::fixed_heap::v3::FixedHeapConfig;
use envoy_types::pb::google::protobuf::Any;
use meshc_plan::bounds;

use crate::pb::duration;
use crate::proto::any;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The monitor of the heap.
const HEAP: &str = "envoy.resource_monitors.fixed_heap";
/// The monitor of all that the kernel charges to the container: what it keeps for sockets is on no heap. Envoy does not
/// start where there is no control group with memory, which every container has.
const CONTAINER: &str = "envoy.resource_monitors.cgroup_memory";
/// What clients' connections without a request, and clients that are slow in a handshake, are left with where memory
/// is tightest.
const LEAST_IDLE: Duration = Duration::from_secs(5);
/// Streams that hold this much, as a power of two, can be ended for it: 32 KiB, what an edge connection may buffer.
const STREAM_POWER: u32 = 15;

/// For a proxy in a container of its own: the fuller of heap and container decides.
pub(crate) fn of_container(memory: u64) -> OverloadManager {
    let container = CgroupMemoryConfig { max_memory_bytes: memory };
    manager(memory, &[(HEAP, heap(bounds::heap(memory))), (CONTAINER, any(&container))])
}

/// For a proxy of which only the heap has a bound.
pub(crate) fn of_heap(memory: u64) -> OverloadManager {
    manager(memory, &[(HEAP, heap(bounds::heap_alone(memory)))])
}

fn heap(most: u64) -> Any {
    any(&FixedHeapConfig { max_heap_size_bytes: most, ..Default::default() })
}

/// Connections have a number; as memory fills, connections without a request live shorter, streams that hold the most
/// are ended, and in the end no connection is accepted.
fn manager(bytes: u64, memory: &[(&str, Any)]) -> OverloadManager {
    let connections = DownstreamConnectionsConfig {
        max_active_downstream_connections: i64::from(bounds::connections(bytes)),
    };
    // Without this number Envoy warns at every start.
    let connections = ("envoy.resource_monitors.global_downstream_max_connections", any(&connections));
    let monitors = memory.iter().cloned().chain([connections]);
    let action = |name: &str, trigger: TriggerOneof| OverloadAction {
        name: name.to_owned(),
        triggers: memory
            .iter()
            .map(|(monitor, _)| Trigger { name: (*monitor).to_owned(), trigger_oneof: Some(trigger) })
            .collect(),
        typed_config: None,
    };
    OverloadManager {
        refresh_interval: duration(LOOK),
        resource_monitors: monitors
            .map(|(name, config)| ResourceMonitor {
                name: name.to_owned(),
                config_type: Some(ConfigType::TypedConfig(config)),
            })
            .collect(),
        actions: vec![
            action("envoy.overload_actions.shrink_heap", at(0.70)),
            OverloadAction {
                typed_config: Some(any(&shorter_lives())),
                ..action("envoy.overload_actions.reduce_timeouts", between(0.70, 0.90))
            },
            action("envoy.overload_actions.reset_high_memory_stream", between(0.65, 0.85)),
            action("envoy.overload_actions.disable_http_keepalive", at(0.90)),
            action("envoy.overload_actions.reject_incoming_connections", at(0.95)),
            action("envoy.overload_actions.stop_accepting_requests", at(0.98)),
        ],
        buffer_factory_config: Some(BufferFactoryConfig {
            minimum_account_to_track_power_of_two: STREAM_POWER,
        }),
        ..Default::default()
    }
}

/// From this share of a bound on.
fn at(value: f64) -> TriggerOneof {
    TriggerOneof::Threshold(ThresholdTrigger { value })
}

/// From nothing at the first share to everything at the second.
fn between(scaling_threshold: f64, saturation_threshold: f64) -> TriggerOneof {
    TriggerOneof::Scaled(ScaledTrigger { scaling_threshold, saturation_threshold })
}

fn shorter_lives() -> ScaleTimersOverloadActionConfig {
    let to = |timer: TimerType| ScaleTimer {
        timer: timer.into(),
        overload_adjust: duration(LEAST_IDLE).map(OverloadAdjust::MinTimeout),
    };
    ScaleTimersOverloadActionConfig {
        timer_scale_factors: [
            TimerType::HttpDownstreamConnectionIdle,
            TimerType::HttpDownstreamStreamIdle,
            TimerType::TransportSocketConnect,
        ]
        .map(to)
        .to_vec(),
    }
}

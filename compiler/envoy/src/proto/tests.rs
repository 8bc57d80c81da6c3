//! The walk against prost-reflect, an independent reader of the same descriptors.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{DataSource, Metadata, TransportSocket, transport_socket};
use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{TlsParameters, UpstreamTlsContext};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{
    BoolValue, Duration, ListValue, Struct, UInt32Value, Value as Dynamic,
};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, SerializeOptions};

use super::schema::Schema;
use super::{Root, Unknown, any, to_yaml, written};

/// Encodes, walks, and lets prost-reflect read the result back as the same message.
fn assert_reads_back<M: Message + Name>(message: &M) -> String {
    let pool = DescriptorPool::decode(include_bytes!("../../descriptors/envoy.bin").as_slice()).unwrap();
    let descriptor = pool.get_message_by_name(&M::full_name()).unwrap();
    let text = written(super::schema::get(), message).unwrap();
    let json: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let read = DynamicMessage::deserialize_with_options(
        descriptor.clone(),
        &json,
        &DeserializeOptions::new().deny_unknown_fields(true),
    )
    .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let expected = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap();
    assert_eq!(to_json(&read), to_json(&expected), "{text}");
    text
}

/// Compared as JSON, because bytes inside an `Any` depend on the order of hash maps.
fn to_json(message: &DynamicMessage) -> serde_json::Value {
    message.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new()).unwrap()
}

fn cluster() -> Cluster {
    let number = |value| Some(UInt32Value { value });
    let tls = UpstreamTlsContext {
        sni: "outbound_.80_._.catalog".to_owned(),
        max_session_keys: number(0),
        common_tls_context: Some(
            envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::CommonTlsContext {
                tls_params: Some(TlsParameters { tls_minimum_protocol_version: 4, ..Default::default() }),
                ..Default::default()
            },
        ),
        ..Default::default()
    };
    let text = |text: &str| Dynamic { kind: Some(Kind::StringValue(text.to_owned())) };
    let list = ListValue { values: vec![Dynamic { kind: Some(Kind::NumberValue(1.5)) }, text("on")] };
    let fields = HashMap::from([
        ("b".to_owned(), Dynamic { kind: Some(Kind::ListValue(list)) }),
        ("a".to_owned(), Dynamic { kind: Some(Kind::BoolValue(false)) }),
        ("c".to_owned(), Dynamic { kind: Some(Kind::NullValue(0)) }),
        ("d".to_owned(), Dynamic { kind: Some(Kind::NumberValue(-0.0)) }),
        ("e".to_owned(), Dynamic { kind: Some(Kind::NumberValue(7.0)) }),
    ]);
    Cluster {
        name: "catalog".to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        connect_timeout: Some(Duration { seconds: 1, nanos: 500_000_000 }),
        per_connection_buffer_limit_bytes: number(0),
        metadata: Some(Metadata {
            filter_metadata: HashMap::from([
                ("z".to_owned(), Struct { fields }),
                ("a".to_owned(), Struct::default()),
            ]),
            ..Default::default()
        }),
        transport_socket: Some(TransportSocket {
            name: "envoy.transport_sockets.tls".to_owned(),
            config_type: Some(transport_socket::ConfigType::TypedConfig(any(&tls))),
        }),
        ..Default::default()
    }
}

#[test]
fn a_cluster_reads_as_envoy_documents_it() {
    assert_eq!(
        assert_reads_back(&cluster()),
        r#"name: catalog
type: STATIC
connect_timeout: 1.5s
per_connection_buffer_limit_bytes: 0
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    common_tls_context:
      tls_params:
        tls_minimum_protocol_version: TLSv1_3
    sni: outbound_.80_._.catalog
    max_session_keys: 0
metadata:
  filter_metadata:
    a: {}
    z:
      a: false
      b:
      - 1.5
      - "on"
      c: null
      d: -0.0
      e: 7
"#
    );
}

#[test]
fn durations_bytes_and_empty_wrappers_keep_their_value() {
    for (seconds, nanos) in
        [(0, 0), (0, 1), (15, 0), (-1, -500_000_000), (0, -1_000_000), (315_576_000_000, 0)]
    {
        let cluster = Cluster { connect_timeout: Some(Duration { seconds, nanos }), ..Default::default() };
        assert_reads_back(&cluster);
    }
    let bytes =
        DataSource { specifier: Some(Specifier::InlineBytes(vec![0, 255, 62, 63])), ..Default::default() };
    assert_eq!(assert_reads_back(&bytes), "inline_bytes: AP8+Pw==\n");
    let routes = RouteConfiguration {
        validate_clusters: Some(BoolValue { value: false }),
        virtual_hosts: vec![VirtualHost::default()],
        ..Default::default()
    };
    assert_eq!(assert_reads_back(&routes), "virtual_hosts:\n- {}\nvalidate_clusters: false\n");
}

#[test]
fn a_type_beyond_the_descriptors_is_an_error_wherever_it_is() {
    let beyond = envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest::default();
    let name = "type `envoy.service.ratelimit.v3.RateLimitRequest`";
    assert_eq!(written(super::schema::get(), &beyond), Err(Unknown(name.to_owned())));
    let packed = envoy_types::pb::google::protobuf::Any {
        type_url: <envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest as Name>::type_url(),
        value: Vec::new(),
    };
    let socket = TransportSocket {
        name: String::new(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(packed)),
    };
    assert_eq!(written(super::schema::get(), &socket), Err(Unknown(name.to_owned())));
    let cluster = Cluster { transport_socket: Some(socket), ..Default::default() };
    assert_eq!(to_yaml(&cluster), Err(Unknown(name.to_owned())));
    assert!(written(&Schema::default(), &Cluster::default()).is_err(), "an empty table describes nothing");
}

#[test]
fn a_value_that_an_enumeration_lacks_is_an_error() {
    let cluster =
        Cluster { cluster_discovery_type: Some(ClusterDiscoveryType::Type(9999)), ..Default::default() };
    assert_eq!(to_yaml(&cluster), Err(Unknown(String::from("value 9999 of an enumeration"))));
}

#[test]
fn every_root_is_in_the_committed_descriptors() {
    fn is_root<M: Root>(_: &M) {}
    is_root(&cluster());
    for root in super::roots() {
        assert!(super::schema::get().index(&root).is_some(), "{root}");
    }
}

//! A call from one cluster into another, and what the callee learns of its caller.

use mesh_tests::mesh::DataPlane;

use crate::fixtures::{WEBAPP_TO_CATALOG, WEST_INGRESS, acme, to_catalog};
use mesh_tests::http::Request;

const WEBAPP: &str = "spiffe://cluster.local/ns/istioinaction/sa/webapp";
const CATALOG: &str = "spiffe://cluster.local/ns/istioinaction/sa/catalog";

fn webapp_in_west_calls_catalog_in_east(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let answer = mesh.call(WEBAPP_TO_CATALOG, &to_catalog("/catalog?page=2"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("service"), "istioinaction.catalog");
    assert_eq!(answer.field("cluster"), "east");
    assert_eq!(answer.field("caller"), WEBAPP);
    assert_eq!(answer.field("path"), "/catalog?page=2");
}

fn a_forged_header_does_not_get_through(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let forged =
        "By=spiffe://cluster.local/ns/x/sa/y;Hash=00;URI=spiffe://cluster.local/ns/istioinaction/sa/root";
    let request = to_catalog("/")
        .header("x-forwarded-client-cert", forged)
        .header("X-Forwarded-Client-Cert", forged)
        .header("x-envoy-upstream-rq-timeout-ms", "1")
        .header("x-envoy-original-path", "/admin");
    let answer = mesh.call(WEBAPP_TO_CATALOG, &request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let headers = answer.json()["headers"].clone();
    let certificate =
        headers["x-forwarded-client-cert"].as_str().expect("the sidecar tells who called").to_owned();
    let (by, rest) = certificate.split_once(";Hash=").expect("Envoy's format");
    let (hash, uri) = rest.split_once(";URI=").expect("Envoy's format");
    assert_eq!(by, format!("By={CATALOG}"));
    assert_eq!(uri, WEBAPP);
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{certificate}");
    let leaked: Vec<_> = headers
        .as_object()
        .expect("headers are an object")
        .keys()
        .filter(|name| name.starts_with("x-envoy-"))
        .collect();
    assert!(leaked.is_empty(), "internal headers reached the application: {leaked:?}");
}

fn a_forged_header_stops_at_the_ingress(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let forged = "URI=spiffe://cluster.local/ns/istioinaction/sa/webapp";
    let request = Request::get("webapp.istioinaction.io", "/").header("x-forwarded-client-cert", forged);
    let answer = mesh.ingress(WEST_INGRESS, &request);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("caller"), "spiffe://cluster.local/ns/mesh-system/sa/west-ingress");
    assert_eq!(answer.field("service"), "istioinaction.webapp");
    assert_eq!(answer.field("cluster"), "west");
    let unknown = mesh.ingress(WEST_INGRESS, &Request::get("nobody.example", "/"));
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

crate::on_both_data_planes!(
    webapp_in_west_calls_catalog_in_east,
    a_forged_header_does_not_get_through,
    a_forged_header_stops_at_the_ingress,
);

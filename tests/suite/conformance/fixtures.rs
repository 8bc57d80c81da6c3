//! The ACME mesh as the behaviours use it.

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::tools;

/// The example's source with ejection times of one second instead of half a minute, and with all the time in the world
/// for the rate-limit service: exact counts must not depend on how busy the machine is.
pub(crate) fn acme_source() -> String {
    let path = tools::workspace().join("tests/fixtures/acme.mesh");
    let mut source = std::fs::read_to_string(&path).expect("the example is there");
    for (declared, quick) in [
        ("interval = 20s", "interval = 1s"),
        ("ejection = 30s", "ejection = 1s"),
        ("otherwise = 1/min", "otherwise = 1/min\n      timeout   = 5s"),
    ] {
        assert!(source.contains(declared), "the example declares `{declared}`");
        source = source.replace(declared, quick);
    }
    source
}

/// The running ACME mesh.
pub(crate) fn acme(data_plane: DataPlane) -> Mesh {
    Mesh::up(&acme_source(), data_plane)
}

/// webapp's call to catalog, in west.
pub(crate) const WEBAPP_TO_CATALOG: &str = "WEST_ISTIOINACTION_WEBAPP__ISTIOINACTION_CATALOG_80";
/// The ingress gateway of west.
pub(crate) const WEST_INGRESS: &str = "WEST_INGRESS";
/// The host that the ingress routes to simple-backend.
pub(crate) const BACKEND_HOST: &str = "simple-backend.istioinaction.io";

/// A request as webapp's application sends it to catalog.
pub(crate) fn to_catalog(target: &str) -> Request {
    Request::get("catalog.istioinaction", target)
}

/// A request as a client of the shop sends it to simple-backend.
pub(crate) fn to_backend(target: &str) -> Request {
    Request::get(BACKEND_HOST, target)
}

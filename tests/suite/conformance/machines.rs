//! Services on machines that are not in Kubernetes.

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};

use crate::outside::{answered, by};

/// Machines are placed on this one as pods are.
fn machines_outside_kubernetes_call_and_are_called(data_plane: DataPlane) {
    let mesh = Mesh::up(
        r#"
mesh usmesh { trust_domain = "cluster.local", trust = acme }
trust acme {}
network west-net {}
network dc-net {}
cluster west {
  network = west-net
  region  = "westus"
  gateway eastwest { role = east_west, address = 172.18.255.201 }
}
cluster dc {
  network  = dc-net
  region   = "dc"
  platform = machines
  gateway eastwest { role = east_west, address = 172.18.255.202 }
}
namespace shop {
  service web { clusters = [west], port http { number = 8080 }, calls = [ledger, audit] }
  service catalog { clusters = [west], port http { number = 80 } }
  service ledger {
    clusters = [dc]
    in dc { addresses = [10.0.0.5, 10.0.0.6] }
    port http { number = 80, target = 8080, bind = loopback }
    calls = [catalog, audit]
  }
  service audit {
    clusters = [dc]
    in dc { addresses = ["audit.dc.example"] }
    port http { number = 80, target = 3000, bind = loopback }
  }
  policy own { targets = [audit], deny { from = [web], match { path = "/closed" } } }
}
"#,
        data_plane,
    );
    let call = |call: &str, host: &str| {
        let answer = mesh.call(call, &Request::get(host, "/"));
        let who = answer.json()["caller"].as_str().unwrap_or_default().to_owned();
        (answered(&answer), who)
    };
    let id = |account: &str| format!("spiffe://cluster.local/ns/shop/sa/{account}");
    // From a pod through the machines' gateway, and twice, since there are two machines.
    for _ in 0..2 {
        assert_eq!(call("WEST_SHOP_WEB__SHOP_LEDGER_80", "ledger"), (by("shop.ledger", "dc"), id("web")));
    }
    // From a machine to pods through theirs, and to another machine.
    assert_eq!(
        call("DC_SHOP_LEDGER__SHOP_CATALOG_80", "catalog"),
        (by("shop.catalog", "west"), id("ledger"))
    );
    assert_eq!(call("DC_SHOP_LEDGER__SHOP_AUDIT_80", "audit"), (by("shop.audit", "dc"), id("ledger")));
    // Its proxy decides who may call, as any.
    let denied = mesh.call("WEST_SHOP_WEB__SHOP_AUDIT_80", &Request::get("audit", "/closed"));
    assert_eq!(denied.status, 403, "{denied:?}");
}

crate::on_both_data_planes!(machines_outside_kubernetes_call_and_are_called);

//! Clients and servers that people use, from their own packages: grpcio, websockets, curl.

use std::process::Command;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [api, chat] }
  service api { clusters = [west], port grpc { number = 80, protocol = grpc } }
  service chat { clusters = [west], port http { number = 80 } }
  service page { clusters = [west], port http { number = 80 } }
  route api { gateway = west.in, hosts = ["api.example"], to = api }
  route chat { gateway = west.in, hosts = ["chat.example"], to = chat }
  route page { gateway = west.in, hosts = ["page.example"], to = page }
}
"#;

fn real_clients_and_servers_understand_each_other(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let python = tools::workspace().join("tests/.tools/venv/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/tools/install", python.display());
    let mut command = Command::new(python);
    command.arg(tools::workspace().join("tests/clients/real.py"));
    for (service, application) in
        [("shop.api", "WEST_SIDECARS_SHOP_API_80"), ("shop.chat", "WEST_SIDECARS_SHOP_CHAT_80")]
    {
        // Its port is free now, for the server that is started there.
        drop(mesh.replace(service, "west", application));
        command.arg(mesh.address(&format!("MESH_APPLICATION_{application}")).to_string());
    }
    for address in ["GATEWAY_WEST_IN", "CALL_WEST_SHOP_WEB__SHOP_API_80", "CALL_WEST_SHOP_WEB__SHOP_CHAT_80"]
    {
        command.arg(mesh.address(&format!("MESH_{address}")).to_string());
    }
    assert_eq!(process::succeed(&mut command).trim(), "ok");
}

crate::on_both_data_planes!(real_clients_and_servers_understand_each_other);

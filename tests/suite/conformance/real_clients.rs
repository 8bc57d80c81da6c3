//! Clients and servers that people use, from their own packages: grpcio, websockets, curl.

use std::net::TcpListener;
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

/// A program of `tests/clients`.
fn client(name: &str) -> Command {
    let python = tools::workspace().join("tests/.tools/venv/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/tools/install", python.display());
    let mut command = Command::new(python);
    // Nothing is written beside the sources.
    command.arg("-B").arg(tools::workspace().join("tests/clients").join(name));
    command
}

fn real_clients_and_servers_understand_each_other(data_plane: DataPlane) {
    let servers = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [api, chat] = [0, 1].map(|server: usize| servers[server].local_addr().expect("it is bound"));
    let mesh = Mesh::up_with(SHOP, data_plane, &[("shop.api", api), ("chat", chat)]);
    let mut command = client("real.py");
    command.args([api.to_string(), chat.to_string()]);
    // Their ports are free now, for the servers that are started there.
    drop(servers);
    for address in ["GATEWAY_WEST_IN", "CALL_WEST_SHOP_WEB__SHOP_API_80", "CALL_WEST_SHOP_WEB__SHOP_CHAT_80"]
    {
        command.arg(mesh.address(&format!("MESH_{address}")).to_string());
    }
    assert_eq!(process::succeed(&mut command).trim(), "ok");
}

fn stand_ins_speak_what_real_clients_speak(data_plane: DataPlane) {
    let quiet = "policy quiet { targets = [api, chat], outlier { enabled = false } }\n}\n";
    let mesh = Mesh::up(&format!("{}{quiet}", SHOP.trim_end().trim_end_matches('}')), data_plane);
    let mut command = client("stand_in.py");
    for address in [
        "GATEWAY_WEST_IN",
        "CALL_WEST_SHOP_WEB__SHOP_API_80",
        "CALL_WEST_SHOP_WEB__SHOP_CHAT_80",
        "APPLICATION_WEST_SIDECARS_SHOP_CHAT_80",
    ] {
        command.arg(mesh.address(&format!("MESH_{address}")).to_string());
    }
    command.arg(tools::binary("meshc")).env("MESH_CONTROL", mesh.variable("MESH_CONTROL"));
    assert_eq!(process::succeed(&mut command).trim(), "ok");
}

crate::on_both_data_planes!(
    real_clients_and_servers_understand_each_other,
    stand_ins_speak_what_real_clients_speak,
);

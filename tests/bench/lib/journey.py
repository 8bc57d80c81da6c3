"""What a request costs on its whole way through a mesh: the same mesh under `meshc up` with meshd and with Envoy, in turn."""
import json, os, pathlib, re, statistics, subprocess, sys

from machine import RELEASE, ROOT
from peers import ENVOY

MESHC = RELEASE / "meshc"
CALL = "MESH_CALL_WEST_ISTIOINACTION_WEBAPP__ISTIOINACTION_CATALOG_80"
# A proxy by the end of its command line, which names its configuration.
PARTS = {
    "caller's sidecar": "west/sidecars/istioinaction/webapp",
    "gateway": "east/gateways/eastwest",
    "callee's sidecar": "east/sidecars/istioinaction/catalog",
}
TICK = os.sysconf("SC_CLK_TCK")


def processes(mesh):
    """CPU seconds and resident MiB of each part, by the processes that `meshc up` started."""
    found = {}
    for task in pathlib.Path(f"/proc/{mesh}/task").iterdir():
        for pid in (task / "children").read_text().split():
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            for part, path in PARTS.items():
                if path in command:
                    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
                    found[part] = ((int(fields[11]) + int(fields[12])) / TICK, resident)
    if found.keys() != PARTS.keys():
        sys.exit(f"not all proxies were found: {sorted(found)}")
    return found


def load(seconds, connections):
    """Runs within `meshc up`: prints what the load cost as JSON."""
    mesh = os.getppid()
    before = processes(mesh)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-H", "Host: catalog.istioinaction", f"http://{os.environ[CALL]}/x"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = processes(mesh)
    if "Non-2xx" in printed or "Socket errors" in printed:
        sys.exit(printed)
    requests = int(re.search(r"(\d+) requests in", printed)[1])
    cost = {part: (after[part][0] - before[part][0]) / requests * 1e6 for part in PARTS}
    print("COST", json.dumps({"requests": requests, "idle": {part: before[part][1] for part in PARTS}, "cost": cost}))


def measure(data_plane, options):
    command = [MESHC, "up", ROOT / "examples/acme/mesh.mesh", "--data-plane", data_plane, "--", sys.executable, pathlib.Path(__file__).resolve().parent.parent / "proxy"]
    command += ["--load", "--seconds", str(options.seconds), "--connections", str(options.at_once[-1])]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MESH_ENVOY": str(ENVOY)})
    found = re.search(r"^COST (.*)$", done.stdout, re.MULTILINE)
    if not found:
        sys.exit(f"no figures with {data_plane}:\n{done.stdout}\n{done.stderr}")
    return json.loads(found[1])


def show(options):
    """Prints the table."""
    for program in (MESHC, ENVOY):
        if not program.exists():
            sys.exit(f"{program.name} is not there; see --help")
    rounds = [{plane: measure(plane, options) for plane in ("meshd", "envoy")} for _ in range(options.rounds)]
    print("\n| proxy | meshd µs | Envoy µs | Envoy / meshd | meshd idle MiB | Envoy idle MiB |")
    print("|---|---|---|---|---|---|")
    for part in PARTS:
        middle = lambda plane, key: statistics.median(one[plane][key][part] for one in rounds)
        ratio = statistics.median(one["envoy"]["cost"][part] / one["meshd"]["cost"][part] for one in rounds)
        print(
            f"| {part} | {middle('meshd', 'cost'):.0f} | {middle('envoy', 'cost'):.0f} | {ratio:.2f}"
            f" | {middle('meshd', 'idle'):.0f} | {middle('envoy', 'idle'):.0f} |"
        )
    for plane in ("meshd", "envoy"):
        print(f"requests with {plane}: {[one[plane]['requests'] for one in rounds]}")

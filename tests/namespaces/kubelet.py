"""What a kubelet would do with rendered manifests, as far as a mesh needs it, on one machine and without a cluster.

Runs inside network, mount and process namespaces of its own (see `pods` in tests/src/pods.rs). Every pod of every
Deployment becomes a network namespace and a root directory with exactly the files that its volumes name; its
containers are started with exactly the arguments of the manifest. Clusters are bridges without a route between them;
only gateways' load-balancer addresses can be reached from everywhere. Pods have addresses of the cluster's families and no
others, and a Service that demands another family is refused. A load balancer has the address that its Service asks for, or
those of its annotation for MetalLB; its annotation for external-dns gives them a name in all clusters. Reads one JSON command a line, answers with one
JSON line:

    {"get": {"pod": …, "url": …, "headers": {…}}}   →  {"status": …, "body": …, "grpc": […]}
    {"ask": {"pod": …, …}}  →  [[status, cookie, body], …]: see ask.py, which runs in that pod
    {"fail": {"pod": …, "failing": true}}  →  {}
    {"load": {"name": …, "pod": …, …}}  →  {}: see client.py, which runs in that pod
    {"loaded": {"name": …}}  →  what the load counted, once it is over
    {"begin": {"pod": …, "like": …}}  →  {}: one more replica of what another pod is one of, once it is ready
    {"end": {"pod": …}}  →  {}: deletes the pod as Kubernetes does, in the background
    {"ended": {"pod": …}}  →  {"seconds": …, "hooks": {…}, "killed": […]}, once it is gone
    {"memory": {}}  →  {pod: {"limit": …, "resident": …, "sockets": …, "sum": …}}: the most that was in use, in bytes
"""

import base64
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import yaml

import memory

HERE = pathlib.Path(__file__).resolve().parent
SPECIFICATION = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
WORK = pathlib.Path(SPECIFICATION["work"])
PROGRAMS = SPECIFICATION["programs"]


def run(*arguments):
    done = subprocess.run([str(part) for part in arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stderr}")
    return done.stdout


class Pod:
    """One pod: a network namespace, a root directory, and the processes of its containers."""

    def __init__(self, cluster, namespace, name, template, objects, addresses):
        self.cluster, self.namespace, self.name, self.addresses = cluster, namespace, name, addresses
        # The first family is the cluster's own.
        self.address = addresses[0]
        self.labels = template["metadata"].get("labels", {})
        self.spec = template["spec"]
        self.objects = objects
        self.id = f"{cluster['name']}-{name}"
        self.root = WORK / "pods" / self.id
        self.processes = []
        self.running = {}
        self.logs = WORK / "logs"

    def build(self, index):
        """Makes namespace, addresses and root."""
        self.logs.mkdir(parents=True, exist_ok=True)
        run("ip", "netns", "add", self.id)
        self.link(self.cluster["bridge"], f"c{index}", self.addresses)
        # How pods reach load balancers, and where gateways get their own address.
        wan = {"IPv4": f"172.18.{index // 250}.{index % 250 + 1}", "IPv6": f"fd18::{index + 1:x}"}
        self.wan = f"w{index}"
        self.link("wan", self.wan, [wan[family] for family in self.cluster["families"]])
        self.inside("ip", "link", "set", "lo", "up")
        # A pod has a default route of each family. This one leads to a bridge on which nobody forwards anything.
        for family in self.cluster["families"]:
            self.inside("ip", FLAGS[family], "route", "add", "default", "dev", f"c{index}")
        for sysctl in (self.spec.get("securityContext") or {}).get("sysctls", []):
            self.inside("sysctl", "-qw", f"{sysctl['name']}={sysctl['value']}")
        self.fill()

    def link(self, bridge, name, addresses):
        run("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", name, "netns", self.id)
        run("ip", "link", "set", f"{name}h", "master", bridge, "up")
        self.inside("ip", "link", "set", name, "up")
        for address in addresses:
            self.give(address, name)

    def give(self, address, name):
        """One more address. It is nobody else's, so that need not be found out first."""
        if family_of(address) == "IPv6":
            self.inside("ip", "-6", "address", "add", f"{address}/64", "dev", name, "nodad")
        else:
            self.inside("ip", "address", "add", f"{address}/16", "dev", name)

    def inside(self, *arguments):
        return run("nsenter", f"--net=/run/netns/{self.id}", *arguments)

    def fill(self):
        """The root directory: the machine's programs, but an /etc, /var and /tmp of the pod's own."""
        for top in sorted(os.listdir("/")):
            source, target = pathlib.Path("/") / top, self.root / top
            if top in ("etc", "var", "tmp", "run", "proc"):
                target.mkdir(parents=True)
            elif source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(os.readlink(source))
            elif source.is_dir():
                target.mkdir(parents=True)
                run("mount", "--rbind", source, target)
        os.chmod(self.root / "tmp", 0o1777)
        # A checkout below one of the replaced directories must still be found.
        for path in SPECIFICATION["visible"]:
            inner = self.root / path.lstrip("/")
            if not inner.exists():
                inner.mkdir(parents=True)
                run("mount", "--rbind", path, inner)
        for entry in ("ld.so.cache", "ld.so.conf", "nsswitch.conf", "passwd", "group", "localtime", "ssl", "alternatives"):
            source = pathlib.Path("/etc") / entry
            if source.is_dir():
                shutil.copytree(source, self.root / "etc" / entry, symlinks=True)
            elif source.exists():
                shutil.copy(source, self.root / "etc" / entry)
        hosts = ["127.0.0.1 localhost", "::1 localhost"] + [f"{address} {self.name}" for address in self.addresses]
        hosts += [f"{alias['ip']} {' '.join(alias['hostnames'])}" for alias in self.spec.get("hostAliases", [])]
        (self.root / "etc/hosts").write_text("\n".join(hosts) + "\n", encoding="utf-8")
        domain = self.cluster["domain"]
        search = f"search {self.namespace}.svc.{domain} svc.{domain} {domain}"
        resolver = f"nameserver {self.cluster['dns']}\n{search}\noptions ndots:5\n"
        (self.root / "etc/resolv.conf").write_text(resolver, encoding="utf-8")
        self.volumes()

    def volumes(self):
        """Each mount is a directory with `..data` and symbolic links, as the kubelet makes them."""
        sources = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        for container in self.spec.get("initContainers", []) + self.spec["containers"]:
            for mount in container.get("volumeMounts", []):
                target = self.root / mount["mountPath"].lstrip("/")
                if target.exists():
                    continue
                target.mkdir(parents=True)
                files = self.contents(sources[mount["name"]])
                data = target / "..2026"
                data.mkdir()
                (target / "..data").symlink_to("..2026")
                for name, contents in files.items():
                    (data / name).write_bytes(contents)
                    (target / name).symlink_to(f"..data/{name}")

    def contents(self, volume):
        if "emptyDir" in volume:
            return {}
        kind, name = ("ConfigMap", volume["configMap"]["name"]) if "configMap" in volume else ("Secret", volume["secret"]["secretName"])
        found = self.objects.get((kind, self.namespace, name))
        if found is None:
            raise SystemExit(f"{self.id}: {kind} {self.namespace}/{name} does not exist: the pod would not start")
        plain = {key: value.encode() for key, value in (found.get("data" if kind == "ConfigMap" else "stringData") or {}).items()}
        coded = found.get("binaryData" if kind == "ConfigMap" else "data") or {}
        return plain | {key: base64.b64decode(value) for key, value in coded.items()}

    def enter(self):
        # Each process gets a mount namespace of its own in which /proc is right, and then the pod's root.
        return ["nsenter", f"--net=/run/netns/{self.id}", "chroot", str(self.root)]

    def start(self):
        """Runs init containers in their order, to their end or until their probes pass, then the rest, as Kubernetes does."""
        run("mount", "--rbind", "/proc", self.root / "proc")
        memory.prepare(self, self.lasting())
        for container in self.spec.get("initContainers", []):
            if container.get("restartPolicy") == "Always":
                self.launch(container)
                self.wait(container.get("startupProbe") or container.get("readinessProbe"))
            else:
                status = self.launch(container).wait(timeout=30)
                self.processes.pop()
                if status != 0:
                    log = self.logs / f"{self.id}-{container['name']}.log"
                    raise SystemExit(f"{self.id}: {container['name']} ended with {status}: {log.read_text(errors='replace')}")
        for container in self.spec["containers"]:
            self.launch(container)

    def lasting(self):
        """The containers that run as long as the pod."""
        sidecars = [one for one in self.spec.get("initContainers", []) if one.get("restartPolicy") == "Always"]
        return sidecars + self.spec["containers"]

    def launch(self, container):
        name = container["image"].rsplit(":", 1)[0].rsplit("/", 1)[-1]
        arguments = list(container.get("args", []))
        if name == "app":
            port = container["ports"][0]["containerPort"]
            switch = "/tmp/failing"
            # All addresses, as most programs do.
            own = {"IPv4": "0.0.0.0", "IPv6": "::"}[family_of(self.address)]
            command = [PROGRAMS["python"], str(HERE / "app.py"), container["name"], self.cluster["name"], str(port), switch, self.id, own]
        else:
            command = [PROGRAMS[name], *arguments]
        log = open(self.logs / f"{self.id}-{container['name']}.log", "wb")
        process = subprocess.Popen(self.enter() + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        self.running[container["name"]] = process
        return process

    def end(self):
        """Deletes the pod as Kubernetes does: all hooks at once, then SIGTERM to each container, to sidecars after the
        application and in reverse order, and SIGKILL when the grace period is over."""
        began = time.monotonic()
        deadline = began + self.spec.get("terminationGracePeriodSeconds", 30)
        result = {"hooks": {}, "killed": []}
        sidecars = [one for one in self.lasting() if one not in self.spec["containers"]]
        hooks = {}
        for container in self.lasting():
            hook = threading.Thread(target=self.hook, args=(container, deadline, result["hooks"]))
            hook.start()
            hooks[container["name"]] = hook

        def finish(container):
            hooks[container["name"]].join()
            process = self.running[container["name"]]
            process.terminate()
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                result["killed"].append(container["name"])

        threads = [threading.Thread(target=finish, args=(container,)) for container in self.spec["containers"]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for container in reversed(sidecars):
            finish(container)
        result["seconds"] = time.monotonic() - began
        return result

    def hook(self, container, deadline, results):
        hook = (container.get("lifecycle") or {}).get("preStop", {})
        left = max(0.0, deadline - time.monotonic())
        if "sleep" in hook:
            time.sleep(min(hook["sleep"]["seconds"], left))
            results[container["name"]] = 0
        elif "exec" in hook:
            program, *arguments = hook["exec"]["command"]
            command = [PROGRAMS[os.path.basename(program)], *arguments]
            log = open(self.logs / f"{self.id}-{container['name']}-hook.log", "wb")
            try:
                done = subprocess.run(self.enter() + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=left, check=False)
                results[container["name"]] = done.returncode
            except subprocess.TimeoutExpired:
                results[container["name"]] = "took too long"

    def wait(self, probe, patience=60.0):
        """Until an HTTP or TCP probe passes."""
        deadline = time.monotonic() + patience
        while True:
            if probe is None or self.passes(probe):
                return
            ended = [process.args for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(
                    f"--- {path}\n{pathlib.Path(path).read_text(errors='replace')[-2000:]}"
                    for path in glob.glob(f"{self.logs}/{self.id}-*.log")
                )
                raise SystemExit(f"{self.id} is not ready; ended: {ended}\n{logs}")
            time.sleep(0.1)

    def passes(self, probe):
        if "httpGet" in probe:
            host = f"[{self.address}]" if family_of(self.address) == "IPv6" else self.address
            status, _, _ = self.get(f"http://{host}:{probe['httpGet']['port']}{probe['httpGet']['path']}", {})
            return 200 <= status < 400
        check = ["bash", "-c", f"exec 3<>/dev/tcp/{self.address}/{probe['tcpSocket']['port']}"]
        return subprocess.run(self.enter() + check, capture_output=True, check=False).returncode == 0

    def get(self, url, headers):
        """A request from inside the pod: its status (0 without an answer), body, and what it says in gRPC."""
        said = "\n%{http_code};%header{grpc-status};%header{grpc-message}"
        command = ["curl", "--silent", "--max-time", "20", "--noproxy", "*", "--write-out", said]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        done = subprocess.run(self.enter() + command + [url], capture_output=True, text=True, check=False)
        body, _, said = done.stdout.rpartition("\n")
        status, *grpc = said.split(";", 2)
        return int(status or 0), body, grpc


def family_of(address):
    return "IPv6" if ":" in address else "IPv4"


FLAGS = {"IPv4": "-4", "IPv6": "-6"}


def address_of(cluster, number, block, place):
    """The addresses of a pod, one for each family of its cluster."""
    own = {"IPv4": f"10.{10 * (number + 1)}.{block}.{place}", "IPv6": f"fd10:{number + 1}::{block}:{place:x}"}
    return [own[family] for family in cluster["families"]]


def served(service, cluster):
    """The families of a Service, as Kubernetes admits them: the cluster's first one unless it says so."""
    spec, has = service["spec"], cluster["families"]
    families = spec.get("ipFamilies", has[:1])
    if not set(families) <= set(has) or (spec.get("ipFamilyPolicy") == "RequireDualStack" and len(has) < 2):
        raise SystemExit(f"{service['metadata']['name']}: the cluster {cluster['name']} has {has}, not {families}")
    return families


def balance(service, pod):
    """Gives a pod the addresses of its load balancer; returns their name, if they have one."""
    annotations = service["metadata"].get("annotations", {})
    addresses = annotations.get("metallb.io/loadBalancerIPs", service["spec"].get("loadBalancerIP", "")).split(",")
    for address in addresses:
        pod.give(address, pod.wan)
    name = annotations.get("external-dns.alpha.kubernetes.io/hostname")
    return {name: addresses} if name else {}


def templates(documents):
    for document in documents:
        if document["kind"] == "Deployment":
            metadata, spec = document["metadata"], document["spec"]
            template = spec["template"]
            # Applications have all their replicas; the mesh's own Deployments get by with one here.
            application = any(container["image"].startswith("app:") for container in template["spec"]["containers"])
            for replica in range(spec.get("replicas", 1) if application else 1):
                name = metadata["name"] if replica == 0 else f"{metadata['name']}-{replica}"
                yield metadata["namespace"], name, template


def main():
    pathlib.Path("/run/netns").mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "wan", "type", "bridge")
    run("ip", "link", "set", "wan", "up")
    pods, index, tables, outside = [], 0, [], {}
    for number, cluster in enumerate(SPECIFICATION["clusters"]):
        cluster["bridge"] = f"br{number}"
        cluster["families"] = cluster.get("families", ["IPv4"])
        cluster["dns"] = address_of(cluster, number, 0, 2)[0]
        run("ip", "link", "add", cluster["bridge"], "type", "bridge")
        run("ip", "link", "set", cluster["bridge"], "up")
        documents = []
        for file in cluster["manifests"]:
            documents += [one for one in yaml.safe_load_all(pathlib.Path(file).read_text(encoding="utf-8")) if one]
        objects = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one for one in documents}
        mine = []
        for place, (namespace, name, template) in enumerate(templates(documents)):
            pod = Pod(cluster, namespace, name, template, objects, address_of(cluster, number, 1, place + 1))
            pod.build(index)
            index += 1
            mine.append(pod)
        records = {}
        for document in documents:
            if document["kind"] == "Service":
                selector = document["spec"].get("selector", {})
                chosen = [pod for pod in mine if selector.items() <= pod.labels.items() and pod.namespace == document["metadata"]["namespace"]]
                name = f"{document['metadata']['name']}.{document['metadata']['namespace']}.svc.{cluster['domain']}"
                families = served(document, cluster)
                records[name] = [address for pod in chosen for address in pod.addresses if family_of(address) in families]
                if document["spec"].get("type") == "LoadBalancer" and chosen:
                    outside |= balance(document, chosen[0])
        tables.append((cluster, records))
        dns = Pod(cluster, "kube-system", "dns", {"metadata": {}, "spec": {"containers": []}}, {}, [cluster["dns"]])
        dns.build(index)
        index += 1
        table = WORK / f"dns-{cluster['name']}.json"
        server = ["nsenter", f"--net=/run/netns/{dns.id}", PROGRAMS["python"], str(HERE / "dns.py"), cluster["dns"], str(table)]
        subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        pods += mine + [dns]
    for cluster, records in tables:
        table = WORK / f"dns-{cluster['name']}.json"
        table.write_text(json.dumps(records | outside), encoding="utf-8")
    # What answers for others first: rate limits and their Redis, then the rest in any order.
    for pod in sorted(pods, key=lambda pod: (0 if "redis" in pod.name else 1 if pod.name == "rate-limit" else 2)):
        pod.start()
        if pod.name.startswith("rate-limit"):
            pod.wait(pod.spec["containers"][0].get("readinessProbe"))
    for pod in pods:
        for container in pod.spec.get("initContainers", []) + pod.spec["containers"]:
            if "readinessProbe" in container:
                pod.wait(container["readinessProbe"])
    watch = memory.Watch(SPECIFICATION.get("memory_interval", 1.0))
    for pod in pods:
        watch.add(pod, pod.lasting())
    watch.start()
    print(json.dumps({"ready": sorted(pod.id for pod in pods)}), flush=True)
    by_id = {pod.id: pod for pod in pods}
    loads, ends = {}, {}

    def begin(name, like):
        nonlocal index
        cluster = like.cluster
        number = SPECIFICATION["clusters"].index(cluster)
        place = sum(pod.cluster is cluster for pod in by_id.values()) + 1
        template = {"metadata": {"labels": like.labels}, "spec": like.spec}
        pod = Pod(cluster, like.namespace, name, template, like.objects, address_of(cluster, number, 1, place))
        pod.build(index)
        index += 1
        pod.start()
        for container in pod.lasting():
            if "readinessProbe" in container:
                pod.wait(container["readinessProbe"])
        watch.add(pod, pod.lasting())
        by_id[pod.id] = pod
        # It is found by every name by which the other one is.
        places = dict(zip(like.addresses, pod.addresses))
        tell(cluster, lambda addresses: addresses + [places[one] for one in addresses if one in places])

    for line in sys.stdin:
        command = json.loads(line)
        if "get" in command:
            wanted = command["get"]
            status, body, grpc = by_id[wanted["pod"]].get(wanted["url"], wanted.get("headers", {}))
            answer = {"status": status, "body": body, "grpc": grpc}
        elif "ask" in command:
            wanted = command["ask"]
            inside = by_id[wanted["pod"]].enter() + [PROGRAMS["python"], str(HERE / "ask.py"), json.dumps(wanted)]
            done = subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            answer = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}
        elif "load" in command:
            wanted = command["load"]
            program = wanted.get("program", [PROGRAMS["python"], str(HERE / "client.py"), json.dumps(wanted)])
            inside = by_id[wanted["pod"]].enter() + program
            loads[wanted["name"]] = subprocess.Popen(inside, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
            answer = {}
        elif "loaded" in command:
            counted, _ = loads[command["loaded"]["name"]].communicate()
            answer = json.loads(counted)
        elif "memory" in command:
            answer = watch.peaks()
        elif "begin" in command:
            wanted = command["begin"]
            begin(wanted["pod"], by_id[wanted["like"]])
            answer = {}
        elif "end" in command:
            answer = {}
            pod = by_id[command["end"]["pod"]]
            forget(pod)
            end = threading.Thread(target=lambda pod=pod: ends.__setitem__(pod.id, pod.end()), name=pod.id)
            ends[pod.id] = end
            end.start()
        elif "ended" in command:
            end = ends[command["ended"]["pod"]]
            if isinstance(end, threading.Thread):
                end.join()
            answer = ends[command["ended"]["pod"]]
        else:
            wanted = command["fail"]
            switch = by_id[wanted["pod"]].root / "tmp/failing"
            switch.touch() if wanted["failing"] else switch.unlink(missing_ok=True)
            answer = {}
        print(json.dumps(answer), flush=True)


def forget(pod):
    """Endpoints lose a pod as soon as its end was asked for."""
    tell(pod.cluster, lambda addresses: [one for one in addresses if one not in pod.addresses])


def tell(cluster, change):
    """Changes the addresses that each name of a cluster has."""
    table = WORK / f"dns-{cluster['name']}.json"
    records = json.loads(table.read_text(encoding="utf-8"))
    fresh = table.with_suffix(".new")
    fresh.write_text(json.dumps({name: change(addresses) for name, addresses in records.items()}), encoding="utf-8")
    fresh.replace(table)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
main()

"""What the kernel would charge to containers, and say to them below /sys/fs/cgroup, on a machine without control groups.

A control group's second version charges for what its processes have in memory, for the buffers of their sockets and for
the sockets themselves. All are read from outside here, now and then, and written where a container looks: `memory.max`,
`memory.current`, and what of it is whose in `memory.stat`.
"""

import pathlib
import re
import subprocess
import threading
import time

UNITS = {"Mi": 2**20, "Gi": 2**30}
# What was received, what is kept for more, and what waits to be sent; what is on its way (`t`) is part of the last.
SOCKET = re.compile(rb"skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+)")
# A TCP socket, its file and its directory entry in Linux 6, in bytes.
OBJECTS = 4096


def limit(container):
    """The memory that a container may have, in bytes; `None` without a limit."""
    said = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return said and int(said[:-2]) * UNITS[said[-2:]]


def resident(pid):
    """Bytes in memory; 0 for a process that has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) * 1024 if found else 0


class Charged:
    """The one container of a pod that has a limit."""

    def __init__(self, pod, container):
        self.pod, self.process = pod, pod.running[container["name"]]
        self.limit = limit(container)
        # The application's own sockets are not the proxy's: those with its port at this end.
        ports = [port["containerPort"] for other in pod.spec["containers"] if limit(other) is None for port in other.get("ports", [])]
        self.others = [f"not ( {' or '.join(f'sport = :{port}' for port in ports)} )"] if ports else []
        self.peak = {"resident": 0, "sockets": 0, "sum": 0}

    def look(self):
        """Reads what it uses, and writes it where it looks."""
        listed = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.pod.id}", "ss", "-tanmHO", *self.others], capture_output=True, check=False
        )
        found = SOCKET.findall(listed.stdout)
        buffers, objects = sum(int(part) for parts in found for part in parts), OBJECTS * len(found)
        now = {"resident": resident(self.process.pid), "sockets": buffers + objects}
        now["sum"] = now["resident"] + now["sockets"]
        self.peak = {name: max(self.peak[name], value) for name, value in now.items()}
        write(self.pod, "memory.current", now["sum"])
        write(self.pod, "memory.stat", f"anon {now['resident']}\nsock {buffers}\nslab_unreclaimable {objects}")
        write(self.pod, "cgroup.procs", self.process.pid)


def prepare(pod, containers):
    """Before anything of a pod starts: its own control group, in which nothing is used yet."""
    limits = [limit(container) for container in containers if limit(container) is not None]
    if limits:
        group = pod.root / "sys/fs/cgroup"
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(group)], check=True)
        write(pod, "memory.max", limits[-1])
        write(pod, "memory.current", 0)


def write(pod, name, value):
    """As a whole: whoever reads finds the old number or the new one."""
    fresh = pod.root / "sys/fs/cgroup" / f".{name}"
    fresh.write_text(f"{value}\n", encoding="utf-8")
    fresh.replace(fresh.with_name(name))


class Watch(threading.Thread):
    """Looks at all of them, again and again."""

    def __init__(self, interval):
        super().__init__(daemon=True)
        self.interval, self.charged = interval, []

    def add(self, pod, containers):
        limited = [container for container in containers if limit(container) is not None]
        if limited:
            self.charged.append(Charged(pod, limited[-1]))

    def run(self):
        while True:
            for one in self.charged:
                one.look()
            time.sleep(self.interval)

    def peaks(self):
        """Bytes, by pod."""
        return {one.pod.id: {"limit": one.limit, **one.peak} for one in self.charged}

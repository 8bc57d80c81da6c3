"""What the kernel would charge to containers, and say to them below /sys/fs/cgroup, on a machine without control groups.

A control group's second version charges for what its processes have in memory, for the buffers of their sockets and for
the sockets themselves. All are read from outside here, now and then, and written where a container looks: `memory.max`,
`memory.current`, and what of it is whose in `memory.stat`.
"""

import ctypes
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time

UNITS = {"Mi": 2**20, "Gi": 2**30}
# Linux: sock_diag(7) and <linux/inet_diag.h>, with the memory of each socket; setns(2).
SOCK_DIAG, BY_FAMILY, REQUEST_DUMP, DONE, ERROR = 4, 20, 0x301, 3, 2
MEMORY, NEW_NETWORK = 7, 0x40000000
HEADER, MESSAGE, ATTRIBUTE = struct.Struct("=LHHLL"), 72, struct.Struct("=HH")
# What was received, its bound, what is on its way, its bound, what is kept for more, and what waits to be sent; what is on its
# way is part of the last.
KEPT = struct.Struct("=6L")
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


class Sockets:
    """The TCP sockets of a network namespace, as the kernel tells of them. To ask it directly costs the machine that is measured
    a fraction of what a program costs that prints them."""

    def __init__(self, network):
        opened = threading.Thread(target=self.open, args=[network])
        opened.start()
        opened.join()

    def open(self, network):
        """A socket stays in the network where it was opened; the thread that opened it there ends."""
        with open(network, "rb") as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), network)
            self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)

    def each(self):
        """For each its port at this end, and what the kernel keeps for it in bytes."""
        for family in (socket.AF_INET, socket.AF_INET6):
            asked = struct.pack("=BBBBL48x", family, socket.IPPROTO_TCP, 1 << (MEMORY - 1), 0, 0xFFFFFFFF)
            self.kernel.send(HEADER.pack(HEADER.size + len(asked), BY_FAMILY, REQUEST_DUMP, 0, 0) + asked)
            while (part := self.kernel.recv(1 << 20)) and (yield from self.part(part)):
                pass

    def part(self, part):
        """The sockets in a part of the answer; whether there is more."""
        at = 0
        while at < len(part):
            length, kind, _, _, _ = HEADER.unpack_from(part, at)
            if kind == DONE:
                return False
            if kind == ERROR:
                raise OSError("the kernel tells nothing of sockets")
            attribute, end = at + HEADER.size + MESSAGE, at + length
            while attribute < end:
                size, name = ATTRIBUTE.unpack_from(part, attribute)
                if name == MEMORY:
                    received, _, _, _, more, queued = KEPT.unpack_from(part, attribute + ATTRIBUTE.size)
                    (port,) = struct.unpack_from(">H", part, at + HEADER.size + 4)
                    yield port, received + more + queued
                attribute += (size + 3) & ~3
            at += (length + 3) & ~3
        return True


class Charged:
    """The one container of a pod that has a limit."""

    def __init__(self, pod, container):
        self.pod, self.process = pod, pod.running[container["name"]]
        self.limit = limit(container)
        # The application's own sockets are not the proxy's: those with its port at this end.
        others = [other for other in pod.spec["containers"] if limit(other) is None]
        self.others = {port["containerPort"] for other in others for port in other.get("ports", [])}
        self.sockets = Sockets(f"/run/netns/{pod.id}")
        self.peak = {"resident": 0, "sockets": 0, "sum": 0}

    def look(self):
        """Reads what it uses, and writes it where it looks."""
        kept = [kept for port, kept in self.sockets.each() if port not in self.others]
        buffers, objects = sum(kept), OBJECTS * len(kept)
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

"""What a benchmark needs of this machine: processors, processes and what the kernel says of them."""
import os, pathlib, socket, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
RELEASE = ROOT / "target" / "release"
# What is measured has the first processor, and whoever makes work for it the others.
MEASURED, OTHERS = (lambda all: (all[0], all[1:] or all))(sorted(os.sched_getaffinity(0)))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port, seconds=20):
    """Waits until somebody accepts connections there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


class Process:
    """A process that is ended with the block it was started in, with all of its descendants' figures."""

    def __init__(self, command, processors, folder, **options):
        self.log = folder / f"{pathlib.Path(command[0]).name}-{free_port()}.log"
        with self.log.open("wb") as log:
            options = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL} | options
            start = lambda: os.sched_setaffinity(0, processors)
            self.process = subprocess.Popen([str(part) for part in command], preexec_fn=start, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def all(self):
        """The process and its children (nginx works in one)."""
        found = [self.process.pid]
        for pid in found:
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu(self):
        """Nanoseconds on a processor of all threads so far."""
        tasks = [task for pid in self.all() for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def resident(self):
        """Bytes of memory that are resident."""
        total = 0
        for pid in self.all():
            fields = [int(field) for field in pathlib.Path(f"/proc/{pid}/statm").read_text().split()]
            total += fields[1] * os.sysconf("SC_PAGE_SIZE")
        return total

    def serves(self, port, seconds=20):
        if not listens(port, seconds) or self.process.poll() is not None:
            sys.exit(f"{self.log.name} does not serve:\n{self.log.read_text(errors='replace')}")


def run(command, processors):
    """What a command prints."""
    start = lambda: os.sched_setaffinity(0, processors)
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, preexec_fn=start)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout

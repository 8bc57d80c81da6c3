"""What does not depend on how busy the machine is: instructions in a proxy's own code, allocations and system calls for a request, or
for a connection that is passed through."""
import concurrent.futures, pathlib, re, shutil, signal, socket, subprocess, sys

from machine import OTHERS, Process, free_port, run

# The first are thrown away: they pay for connections, and for what is made once. Envoy's start varies by 300 million instructions.
FEW, MANY = 400, 12000
ALLOCATES = re.compile(r"^(malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc|operator new(\[\])?\(.*\))$")


def missing():
    tools = [tool for tool in ("valgrind", "strace", "h2load") if not shutil.which(tool)]
    return f"{' and '.join(tools)} are not installed" if tools else None


def come(case, connections):
    """So many connections, one after the other, each of which gets a word for its ClientHello."""
    hello = case.hello.read_bytes()
    for _ in range(connections):
        with socket.create_connection(("127.0.0.1", case.port)) as client:
            client.sendall(hello)
            if not client.recv(100):
                sys.exit("a connection was not served")


def load(what, case, requests):
    """So many requests over eight connections of HTTP/1.1, or eight streams on one of HTTP/2; or as many connections, eight at a time."""
    if what == "pass_through":
        with concurrent.futures.ThreadPoolExecutor(8) as all:
            return list(all.map(lambda _: come(case, requests // 8), range(8)))
    kind = ["-c1", "-m8"] if case.http2 else ["--h1", "-c8", "-m1"]
    said = run(["h2load", "-t1", f"-n{requests}", *kind, f"http://127.0.0.1:{case.port}/"], OTHERS)
    if f"{requests} succeeded" not in said:
        sys.exit(said)


def read(out):
    """Instructions and allocations in what callgrind wrote; allocations are `None` where the program has no names for them."""
    instructions, allocations, names, called = 0, 0, {}, None
    for line in out.read_text(errors="replace").splitlines():
        if named := re.match(r"(c?fn)=(\(\d+\))(?: (.*))?$", line):
            kind, number, name = named.groups()
            if name:
                names[number] = name
            if kind == "cfn":
                called = names.get(number, "")
        elif line.startswith("calls=") and called is not None and ALLOCATES.match(re.sub(r"'\d+$", "", called)):
            allocations += int(line[6:].split()[0])
        elif line.startswith(("summary:", "totals:")):
            instructions = max(instructions, int(line.split()[1]))
    return instructions, allocations or None


def under_callgrind(peer, what, case, folder, requests):
    """Instructions and allocations of a whole life with so many requests, in all of the proxy's processes."""
    folder = folder / f"callgrind-{free_port()}"
    folder.mkdir()
    tool = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={folder}/out.%p"]
    with peer.start(what, case, folder, tool, 300):
        load(what, case, requests)
    found = [read(out) for out in folder.glob("out.*")]
    allocations = [count for _, count in found if count]
    return sum(count for count, _ in found), sum(allocations) if allocations else None


def system_calls(peer, what, case, folder):
    """System calls for each request."""
    report = folder / "strace"
    with peer.start(what, case, folder) as proxy:
        load(what, case, FEW)
        attached = ["strace", "-c", "-f", "-o", report] + [f"-p{pid}" for pid in proxy.all()]
        tracer = subprocess.Popen([str(part) for part in attached], stderr=subprocess.PIPE, text=True)
        for _ in proxy.all():
            tracer.stderr.readline()
        load(what, case, MANY)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    # "% time, seconds, µs/call, calls, errors, name": errors are left out where there are none.
    calls = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", report.read_text(), re.M)
    return sum(int(count) for count, name in calls if name != "total") / MANY


def counted(peer, what, case, folder):
    """Instructions, allocations (or `None`) and system calls for one request."""
    few, many = (under_callgrind(peer, what, case, folder, requests) for requests in (FEW, FEW + MANY))
    has_names = not peer.has_own_allocator and few[1] and many[1]
    allocations = max(0, many[1] - few[1]) / MANY if has_names else None
    return (many[0] - few[0]) / MANY, allocations, system_calls(peer, what, case, folder)


def show(peers, takes, new_case, rows):
    """The tables of rows and what one of each is: `takes` says who takes part, and `new_case` makes what each is asked to serve, and
    returns it with a folder and the server behind."""
    for row, each in rows.items():
        there = [peer for peer in peers if takes(row, peer)]
        if not there:
            continue
        print(f"\n| {row}, for each {each} | instructions | allocations | system calls | of {there[0].title}'s instructions |")
        print("|---|---|---|---|---|", flush=True)
        first = None
        for peer in there:
            with new_case(row) as (what, case, folder):
                instructions, allocations, calls = counted(peer, what, case, folder)
            first = first or instructions
            shown = "–" if allocations is None else f"{allocations:.1f}"
            print(f"| {peer.title} | {instructions:,.0f} | {shown} | {calls:.2f} | 1/{first / instructions:.2f} |", flush=True)

"""The configuration of a mesh as programs of other tools: jsonnet, KCL and kustomize.

Whatever meshc writes for one service with one caller and one callee becomes functions: of the service, of a callee, of a caller. So the
programs are written as somebody would write them, with one definition for each kind of object, and say what meshc says today. They
are given what meshc works out: who calls whom, by which names and at which address, and as which user a proxy runs.
"""
import json, re

SERVICE, CALLEE, CALLER = "zself", "zcallee", "zcaller"
HOME, YONDER, FAR = "zhome", "zyonder", "zfar"
MESH = """mesh shop {{ trust_domain = "cluster.local" }}
network net {{}}
cluster west {{ network = net, region = "eu", zone = "a" }}
{namespaces}"""


def declared(services):
    """The text of a mesh in one cluster: pairs of namespace and name, each with the pairs that it calls."""
    namespaces = {}
    for (namespace, name), calls in services.items():
        called = f", calls = [{', '.join('.'.join(callee) for callee in calls)}]" if calls else ""
        port = "port http { number = 80, target = 8080, bind = loopback }"
        namespaces.setdefault(namespace, []).append(f"  service {name} {{ clusters = [west], {port}{called} }}\n")
    return MESH.format(namespaces="".join(f"namespace {name} {{\n{''.join(lines)}}}\n" for name, lines in namespaces.items()))


def example():
    """The mesh that programs are made of."""
    return declared({(HOME, SERVICE): [(YONDER, CALLEE)], (YONDER, CALLEE): [(FAR, CALLER)], (FAR, CALLER): [(HOME, SERVICE)]})


def circle(count):
    """Services that call five others each, and are called by five."""
    names = [(f"n{number // 50}", f"s{number}") for number in range(count)]
    return {one: sorted({names[(at + step) % count] for step in (1, 7, 31, 60, 101)} - {one}) for at, one in enumerate(names)}


class Language:
    """How values are written in a language that has functions and comprehensions."""

    def word(self, text):
        return json.dumps(text)

    def constant(self, value):
        return json.dumps(value)

    def each(self, item, variable, items):
        return f"[{item} for {variable} in {items}]"


class Jsonnet(Language):
    def source(self, files, documents):
        functions = "".join(f"local {name}({variable}) = {body};\n" for name, variable, body in files)
        names = ", ".join(f"{self.word(path)}: {name}(s)" for path, name in documents)
        return f"{functions}\nlocal mesh = import 'data.json';\n[{{{names}}} for s in mesh]\n"


class Kcl(Language):
    def word(self, text):
        # Neither escapes nor interpolations are read in it.
        return f'r"{text}"' if '"' not in text and "\n" not in text else f'r"""{text}"""'

    def constant(self, value):
        # As in Python.
        return repr(value)

    def source(self, files, documents):
        functions = "".join(f"{name} = lambda {variable} {{\n{body}\n}}\n" for name, variable, body in files)
        names = ", ".join(f"{self.word(path)}: {name}(s)" for path, name in documents)
        data = 'mesh = json.decode(file.read("data.json"))'
        return f"import json\nimport file\n\n{functions}\n{data}\nitems = [{{{names}}} for s in mesh]\n"


class Writer:
    """Values of the example as expressions of a language."""

    def __init__(self, language, address, user):
        self.language, self.functions = language, []
        # Whether what is written is about one callee or caller.
        self.inside = False
        self.values = {
            SERVICE: "s.name",
            HOME: "s.namespace",
            CALLEE: "c.name",
            YONDER: "c.namespace",
            CALLER: "k.name",
            FAR: "k.namespace",
            address: "c.address",
        }
        self.numbers = {user: "s.user"}
        self.pattern = re.compile("(" + "|".join(map(re.escape, self.values)) + ")")

    def mentions(self, value, words):
        return any(word in json.dumps(value) for word in words)

    def lists(self, value, words):
        """Whether a list in a value mentions one of the words."""
        if isinstance(value, list):
            return self.mentions(value, words)
        return isinstance(value, dict) and any(self.lists(one, words) for one in value.values())

    def text(self, text):
        parts = [self.values.get(part) or self.language.word(part) for part in self.pattern.split(text) if part]
        return " + ".join(parts) or self.language.word("")

    def function(self, name, variable, value):
        outer, self.inside = self.inside, variable != "s"
        # The documents of a file are all about the service.
        body = self.value(value) if self.inside else f"[{', '.join(map(self.value, value))}]"
        self.inside = outer
        self.functions.append((name, variable, body))
        return name

    def value(self, value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.language.word(key)}: {self.value(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return self.list(value)
        if isinstance(value, str):
            return self.text(value)
        return (type(value) is int and self.numbers.get(value)) or self.language.constant(value)

    def list(self, items):
        if items and all(isinstance(item, str) for item in items) and self.mentions(items, [CALLEE]):
            return "c.names"
        parts, plain = [], []
        for item in items:
            # What is about a callee or a caller is there once for each, and is a function of it.
            for variable, many, words in (("c", "s.calls", [CALLEE]), ("k", "s.callers", [CALLER])):
                about = self.mentions(item, words) and not self.mentions(item, [SERVICE, HOME])
                # A callee has whole listeners and clusters, a caller the innermost entry that names it.
                if about and not self.inside and (variable == "c" or not self.lists(item, words)):
                    name = self.function(f"each{len(self.functions)}", variable, item)
                    parts += [plain, self.language.each(f"{name}({variable})", variable, many)]
                    plain = []
                    break
            else:
                plain.append(self.value(item))
        parts.append(plain)
        parts = [f"[{', '.join(part)}]" if isinstance(part, list) else part for part in parts if part]
        return " + ".join(parts) or "[]"


def program(language, documents, address, user):
    """The source of a program: `documents` are those of the example's service, by their paths; with the address of its callee and
    the user of its proxy."""
    writer = Writer(language, address, user)
    names = [(path, writer.function(f"document{at}", "s", document)) for at, (path, document) in enumerate(documents.items())]
    return language.source(writer.functions, names)


def overlays(folder, document, services):
    """Manifests as kustomize makes them: a base, and for each service an overlay that names it."""
    import yaml

    base = folder / "base"
    base.mkdir(parents=True)
    text = yaml.safe_dump_all(document).replace(f"{SERVICE}-mesh", "mesh").replace(SERVICE, "service")
    text = "\n".join(line for line in text.splitlines() if HOME not in line)
    (base / "manifests.yaml").write_text(text)
    (base / "kustomization.yaml").write_text("resources: [manifests.yaml]\n")
    label = "mesh.meshc.dev~1service"
    for namespace, name in services:
        overlay = folder / "services" / namespace / name
        overlay.mkdir(parents=True)
        replace = lambda *paths: [{"op": "replace", "path": path, "value": name} for path in paths]
        labelled = f"/metadata/labels/{label}"
        service = replace(labelled, f"/spec/selector/{label}", "/spec/selector/mesh.meshc.dev~1workload")
        policy = replace(labelled, f"/spec/podSelector/matchLabels/{label}")
        patches = [{"target": {"kind": kind}, "patch": json.dumps(patch)} for kind, patch in (("Service", service), ("NetworkPolicy", policy))]
        whole = {"namespace": namespace, "namePrefix": f"{name}-", "resources": ["../../../base"], "patches": patches}
        (overlay / "kustomization.yaml").write_text(json.dumps(whole))
    every = [f"services/{namespace}/{name}" for namespace, name in services]
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": every}))

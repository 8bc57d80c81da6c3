"""Certificates of a mesh: a root, an intermediate, and two workloads, by openssl."""
import subprocess


class Workload:
    def __init__(self, folder, name, spiffe):
        self.spiffe, self.key, self.chain = spiffe, folder / f"{name}.key", folder / f"{name}.pem"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def sign(folder, name, subject, extensions, issuer=None):
    """A key and a certificate, signed by `issuer` or by itself."""
    key, certificate, wanted = folder / f"{name}.key", folder / f"{name}.crt", folder / f"{name}.ext"
    wanted.write_text("\n".join(extensions) + "\n")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", folder / f"{name}.csr")
    by = ["-CA", folder / f"{issuer}.crt", "-CAkey", folder / f"{issuer}.key", "-CAcreateserial"] if issuer else ["-signkey", key]
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-days", "2", "-extfile", wanted, "-out", certificate, *by)
    return certificate


def issue(folder):
    """The root's file, and the workloads `server` and `client`."""
    authority = ["basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"]
    root = sign(folder, "root", "/CN=Root", authority)
    west = sign(folder, "west", "/CN=West", authority, "root")
    made = []
    for name in ("server", "client"):
        workload = Workload(folder, name, f"spiffe://mesh.test/ns/bench/sa/{name}")
        usage = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth", "basicConstraints=critical,CA:false"]
        leaf = sign(folder, name, f"/CN={name}", usage + [f"subjectAltName=URI:{workload.spiffe}"], "west")
        workload.chain.write_text(leaf.read_text() + west.read_text())
        made.append(workload)
    return root, *made

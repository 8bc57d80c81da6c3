"""A DNS server for one cluster: A and AAAA records from a JSON file that is read anew for each question.

The names that it was asked for stand in a file beside that one, each once; in another one with the type of records.
"""

import json
import socket
import struct
import sys


def question(packet):
    """The first question's name and type, and where it ends."""
    labels, at = [], 12
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", packet, at + 1)
    return ".".join(labels), kind, at + 5


def answer(packet, records):
    name, kind, end = question(packet)
    addresses = records.get(name)
    # Answers: authoritative, NXDOMAIN for a name nobody knows, empty for another type (RFC 1035, section 4.1.1).
    code = 0 if addresses is not None else 3
    family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
    found = [address for address in addresses or [] if family == (socket.AF_INET6 if ":" in address else socket.AF_INET)]
    head = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0)
    body = packet[12:end]
    for address in found:
        packed = socket.inet_pton(family, address)
        body += struct.pack("!HHHIH", 0xC00C, kind, 1, 1, len(packed)) + packed
    return head + body


def main():
    address, records = sys.argv[1], sys.argv[2]
    asked = set()
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        packet, peer = server.recvfrom(2048)
        try:
            with open(records, encoding="utf-8") as file:
                reply = answer(packet, json.load(file))
            name, kind, _ = question(packet)
            for what, line in (("asked", name), ("types", f"{ {1: 'A', 28: 'AAAA'}.get(kind, kind)} {name}")):
                if (what, line) not in asked:
                    asked.add((what, line))
                    with open(f"{records}.{what}", "a", encoding="utf-8") as file:
                        file.write(f"{line}\n")
        except (IndexError, ValueError, struct.error, UnicodeDecodeError):
            continue
        server.sendto(reply, peer)


main()

"""A DNS server for one cluster: A records from a JSON file that is read anew for each question.

The names that it was asked for stand in a file beside that one, each once.
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
    found = addresses if addresses and kind == 1 else []
    head = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0)
    body = packet[12:end]
    for address in found:
        body += struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(address)
    return head + body


def main():
    address, records = sys.argv[1], sys.argv[2]
    asked = set()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        packet, peer = server.recvfrom(2048)
        try:
            with open(records, encoding="utf-8") as file:
                reply = answer(packet, json.load(file))
            name, _, _ = question(packet)
            if name not in asked:
                asked.add(name)
                with open(f"{records}.asked", "a", encoding="utf-8") as file:
                    file.write(f"{name}\n")
        except (IndexError, ValueError, struct.error, UnicodeDecodeError):
            continue
        server.sendto(reply, peer)


main()

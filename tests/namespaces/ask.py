"""Requests one after the other, on one connection or each on its own.

Reads a JSON specification from its argument and prints one JSON line: for each request its status, the cookie that was
set, and the body.
"""

import http.client
import json
import sys

SPECIFICATION = json.loads(sys.argv[1])


def main():
    connection, answers = None, []
    for headers in SPECIFICATION["requests"]:
        if connection is None or SPECIFICATION["fresh"]:
            connection = http.client.HTTPConnection(SPECIFICATION["address"], SPECIFICATION["port"], timeout=20)
        connection.request("GET", SPECIFICATION["path"], headers={"host": SPECIFICATION["host"], **headers})
        answer = connection.getresponse()
        answers.append([answer.status, answer.getheader("set-cookie"), answer.read().decode()])
    print(json.dumps(answers), flush=True)


main()

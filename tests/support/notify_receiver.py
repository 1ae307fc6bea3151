"""Stands in for systemd: prints each datagram of a notify socket as one JSON line.

Usage: notify_receiver.py PATH; a leading @ means an abstract socket (unix(7)).
Barriers of sd_notify_barrier(3) are lifted and not printed.
"""

import json
import os
import socket
import struct
import sys

name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind("\0" + name[1:] if name.startswith("@") else name)
print(json.dumps({"bound": name}), flush=True)
number = 0
while True:
    data, ancillary, _, _ = receiver.recvmsg(65536, 1024)
    pid = 0
    for _, kind, content in ancillary:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", content)[0]
        elif kind == socket.SCM_RIGHTS:
            for descriptor in struct.unpack(f"{len(content) // 4}i", content):
                os.close(descriptor)
    lines = data.decode().split("\n")
    if lines == ["BARRIER=1"]:
        continue
    number += 1
    print(json.dumps({"number": number, "lines": lines, "pid": pid}), flush=True)

"""A command on PATH that the server of warm commands starts: signals go on to it, and its exit status is this one's."""

import json
import os
import signal
import socket
import struct
import sys

name = sys.argv[0].rpartition("/")[2]
words, given = (["-m", "tile_engine.cli"] if name == "tile-engine" else []), sys.argv[1:]
files = [0, 1, 2]
if name == "warm-spawn":  # the first word says which files the process inherits, by their numbers
    files += [int(number) for number in given.pop(0).split(",") if number]
request = {
    "arguments": [sys.executable, *words, *given],
    "cwd": os.getcwd(),  # noqa: PTH109 - pathlib takes longer to import than all else here
    "environment": dict(os.environ),
    "session": False,
    "numbers": files,
}
raw = json.dumps(request).encode()
connection = socket.socket(socket.AF_UNIX)
connection.connect("ADDRESS")
socket.send_fds(connection, [struct.pack("!I", len(raw))], files)
connection.sendall(raw)
for file in files[3:]:
    os.close(file)  # they are the other's: whoever waits for the end of a pipe must see it
_, pid = struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
_, status = struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))
code = os.waitstatus_to_exitcode(status)
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)

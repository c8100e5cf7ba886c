"""What runs on a build node: all connection attempts of one run, by the node's own python3, which may be old (3.6).

The text of this module goes there through standard input, and nothing is written. It knows no protocol above TCP and
UDP: what to send is given, what came back is returned as it came. So all judgement, and all parsing of what servers
say, stays with those who asked.
"""

import contextlib
import json
import math
import queue
import socket
import struct
import threading
import time
from typing import Any, Callable, Dict, List, TypeVar

PARALLEL = 32
"""Attempts at a time."""
MAX_CONNECTIONS = 512
MAX_ADDRESSES = 4
"""That are tried of one name."""
UDP_ATTEMPTS = 3
"""How often a datagram is sent, for the network may lose one."""
LINGER = 0.5
"""Seconds that a new connection is watched for a reset: so do devices on the way that let the handshake pass."""
MAX_SAID = 64
"""Bytes of an answer that are returned."""
IP_RECVERR = (socket.IPPROTO_IP, 11)
IPV6_RECVERR = (socket.IPPROTO_IPV6, 25)
MSG_ERRQUEUE = 0x2000
"""linux/in.h, linux/in6.h and bits/socket.h: Python has no names for these."""
ICMP_ORIGINS = (2, 3)
"""SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6 of linux/errqueue.h."""

Row = Dict[str, Any]
Job = TypeVar("Job")
Answer = TypeVar("Answer")


def main(text: str) -> None:
    """Do the ``work`` that the JSON ``text`` describes, and print what came of it as a JSON list.

    ``timeout``: seconds for one attempt; ``attempts``: a list of ``kind`` (``tcp``, ``udp``, or ``ask`` for a TCP
    connection on which a line has to come back), ``ip`` or ``name``, ``port``, and ``send``, in hex. For every attempt
    there is a row for each of its addresses: ``attempt``, its number; ``ip``; ``outcome`` (``answered``, ``silent``,
    ``closed``, ``error``, ``unresolved``, ``untried``); ``connected``; ``errno``; ``said``, in hex; and from an ICMP
    message ``icmp``, its type and code, and ``by``, who sent it.
    """
    work = json.loads(text)
    timeout, attempts = work["timeout"], work["attempts"]
    names = sorted({one["name"] for one in attempts if "name" in one})
    known = in_parallel(names, resolve, timeout)
    jobs = []  # type: List[Row]
    rows = []  # type: List[Row]
    for number, one in enumerate(attempts):
        found = known.get(one["name"], []) if "name" in one else [one["ip"]]
        jobs += [dict(one, attempt=number, ip=ip) for ip in found]
        if not found:
            rows.append({"attempt": number, "ip": "", "outcome": "unresolved"})
    places = list(range(min(len(jobs), MAX_CONNECTIONS)))
    seconds = math.ceil(len(places) / PARALLEL) * (timeout + LINGER)
    done = in_parallel(places, lambda place: connect(jobs[place], timeout), seconds)
    for place, job in enumerate(jobs):
        answer = done.get(place, {"outcome": "untried"})
        rows.append(dict(answer, attempt=job["attempt"], ip=job["ip"]))
    with open(1, "w", closefd=False) as output:
        json.dump(rows, output)


def in_parallel(jobs: List[Job], work: Callable[[Job], Answer], seconds: float) -> Dict[Job, Answer]:
    """Return what ``work`` returns for each of ``jobs`` that is done within the time; the others are left behind."""
    waiting = queue.Queue()  # type: queue.Queue[Job]
    done = queue.Queue()  # type: queue.Queue[Any]
    for job in jobs:
        waiting.put(job)

    def run() -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            done.put((job, work(job)))

    for _ in range(min(PARALLEL, len(jobs))):
        threading.Thread(target=run, daemon=True).start()
    deadline = time.monotonic() + seconds + 1
    answers = {}  # type: Dict[Job, Answer]
    while len(answers) < len(jobs):
        try:
            job, answer = done.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            break
        answers[job] = answer
    return answers


def resolve(name: str) -> List[str]:
    """Return addresses of ``name`` as programs of this node get them, none if there are none."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    ips = [str(entry[4][0]) for entry in found]
    return sorted(set(ips), key=ips.index)[:MAX_ADDRESSES]


def connect(job: Row, timeout: float) -> Row:
    """Make one attempt, in about ``timeout`` seconds; return its row but for ``attempt`` and ``ip``."""
    family, level = (socket.AF_INET6, IPV6_RECVERR) if ":" in job["ip"] else (socket.AF_INET, IP_RECVERR)
    row = {"outcome": "error", "connected": False, "errno": 0, "said": ""}  # type: Row
    try:
        link = socket.socket(family, socket.SOCK_DGRAM if job["kind"] == "udp" else socket.SOCK_STREAM)
    except OSError as error:  # a node without IPv6 has no sockets for it
        return dict(row, errno=error.errno or 0)
    with link:
        try:
            link.setsockopt(level[0], level[1], 1)
            converse(link, job, time.monotonic() + timeout, row)
        except socket.timeout:
            row["outcome"] = "silent"
        except OSError as error:
            row["errno"] = error.errno or 0
        if row["outcome"] in ("silent", "error"):
            row.update(icmp(link))
    return row


def converse(link: socket.socket, job: Row, deadline: float, row: Row) -> None:
    """Connect, send, and wait for an answer; write into ``row`` how far that went. Raises OSError."""
    link.settimeout(left(deadline))
    link.connect((job["ip"], job["port"]))
    data, sent = b"", bytes.fromhex(job["send"])
    if job["kind"] == "udp":
        for turn in range(UDP_ATTEMPTS, 0, -1):
            link.send(sent)
            link.settimeout(left(deadline) / turn)
            try:
                data = link.recv(4096)
            except socket.timeout:
                if turn == 1:
                    raise
            else:
                break
    elif job["kind"] == "tcp":
        row["connected"] = True
        link.settimeout(LINGER)
        with contextlib.suppress(socket.timeout):
            data = link.recv(MAX_SAID)
    else:
        row["connected"] = True
        link.sendall(sent)
        while b"\n" not in data and len(data) < MAX_SAID:
            link.settimeout(left(deadline))
            more = link.recv(4096)
            if not more:
                row["outcome"] = "closed"
                return
            data += more
    row["outcome"], row["said"] = "answered", data[:MAX_SAID].hex()


def left(deadline: float) -> float:
    """Return the seconds until then, a little if it has passed: 0 would mean a socket that does not wait."""
    return max(0.01, deadline - time.monotonic())


def icmp(link: socket.socket) -> Row:
    """Return type, code and sender of the last ICMP message about ``link``: ip(7), ``IP_RECVERR``.

    For TCP there are such messages since Linux 5.9. Without them, ``errno`` is all that is known.
    """
    row = {}  # type: Row
    link.setblocking(False)
    for _ in range(8):
        try:
            _, ancillary, _, _ = link.recvmsg(512, 512, MSG_ERRQUEUE)
        except OSError:
            break
        for level, kind, data in ancillary:
            if (level, kind) in (IP_RECVERR, IPV6_RECVERR) and len(data) >= 24:
                # struct sock_extended_err, and behind it the address of the sender
                origin, icmp_type, code = struct.unpack_from("=4xBBB", data)
                if origin in ICMP_ORIGINS:
                    six = origin == ICMP_ORIGINS[1]
                    address = data[24:40] if six else data[20:24]
                    by = socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, address)
                    row = {"icmp": [icmp_type, code], "by": by}
    return row

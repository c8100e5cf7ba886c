"""A real nginx, for the time of a block."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

START_TIMEOUT = 10.0
END_TIMEOUT = 10.0
CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 128; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def find_nginx() -> str | None:
    """Return nginx's path; None if it is not installed. Distributions keep it where not every account looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/bin")


@contextlib.contextmanager
def nginx(folder: Path, servers: str, ports: Iterable[int]) -> Iterator[None]:
    """Run nginx with the ``servers`` of its configuration; all that it writes is in ``folder``.

    RuntimeError with what is in ``folder/error.log`` if it does not listen on all of the loopback's ``ports``.
    """
    file, log = folder / "nginx.conf", folder / "error.log"
    file.write_text(CONFIGURATION.format(folder=folder, servers=servers))
    command = [find_nginx() or "nginx", "-p", str(folder), "-e", str(log), "-c", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for port in ports:
            _wait_until_up(process, port, log)
        yield
    finally:
        process.terminate()
        process.wait(END_TIMEOUT)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    said = log.read_text() if log.exists() else ""
    raise RuntimeError(f"nginx did not start:\n{said}")

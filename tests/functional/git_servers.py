"""Real Git servers on loopback: git http-backend behind nginx with TLS, git daemon, and git behind sshd."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.functional.ports import free_port

START_TIMEOUT = 20.0

# gitweb's and git-http-backend(1)'s own recipe for a web server with FastCGI.
BACKEND = """
        location ~ ^{place}(/.*)$ {{
            {guard}
            fastcgi_pass unix:{socket};
            fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param GIT_PROJECT_ROOT {root};
            fastcgi_param PATH_INFO $1;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
        }}
"""


def make_repository(path: Path, branches: Sequence[str]) -> None:
    """Make a bare repository with one commit and these branches."""
    git = ["git", "-C", str(path), "-c", "user.name=Factory", "-c", "user.email=factory@example.org"]
    path.mkdir(parents=True)
    subprocess.run([*git, "init", "--quiet", "--bare"], check=True)
    tree = subprocess.run([*git, "mktree"], check=True, input=b"", stdout=subprocess.PIPE).stdout.decode().strip()
    made = subprocess.run([*git, "commit-tree", "-m", "One", tree], check=True, stdout=subprocess.PIPE).stdout
    for branch in branches:
        subprocess.run([*git, "branch", branch, made.decode().strip()], check=True)


@contextlib.contextmanager
def fastcgi(folder: Path) -> Iterator[Path]:
    """Run a server that starts CGI programs; give its socket."""
    path = folder / "fcgi.socket"
    process = subprocess.Popen(["fcgiwrap", "-s", f"unix:{path}"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not path.exists():
            assert process.poll() is None, "fcgiwrap ended"
            assert time.monotonic() < deadline, "fcgiwrap does not listen"
            time.sleep(0.02)
        yield path
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def git_daemon(root: Path) -> Iterator[int]:
    """Serve what is below ``root``; give the port."""
    port = free_port()
    # The program itself: ``git daemon`` would be the parent of what serves, and leave it behind.
    command = ["/usr/lib/git-core/git-daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all"]
    process = subprocess.Popen([*command, f"--base-path={root}", str(root)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, "git-daemon ended"
            assert time.monotonic() < deadline, "git-daemon does not answer"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)

"""Git servers, asked by git itself, which is what mergers and executors use: ``git ls-remote``.

Nothing of the host's or the user's configuration counts: neither Git's nor SSH's, no helper for credentials, no agent.
Credentials reach git in its environment and ssh in a file in memory, since everybody may read command lines.
"""

import contextlib
import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import EngineError
from diskimage_validator.policy_files import read_file
from diskimage_validator.printable import printable
from diskimage_validator.process import NOT_FOUND, run_bounded
from diskimage_validator.readiness.facts.git import AskRepository, Branches
from diskimage_validator.readiness.facts.trouble import Kind, Trouble
from diskimage_validator.readiness.probes import http
from diskimage_validator.readiness.probes.authorities import pem_bundle
from diskimage_validator.readiness.probes.credentials import basic
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of
from diskimage_validator.readiness.probes.links import CLOSED, BrokenError, Meter, dial, silence
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret
from diskimage_validator.temporary import TemporaryFolder

MAX_REFS: Final = 4 * 1024 * 1024
"""Bytes of the list of branches: some forty thousand."""
MAX_TEXT: Final = 200
HEADS: Final = "refs/heads/"
MORTAL: Final = ("setpriv", "--pdeathsig=TERM", "--", "timeout")
"""In front of a command, and of the seconds that it may take at most. Killing git alone would leave those behind that
it has started for the connection: timeout(1) passes the signal on to all of them."""
PORTS: Final = {**http.PORTS, "ssh": 22, "git": 9418}

_WORDS: Final[tuple[tuple[str, Kind, str], ...]] = (
    (r"IDENTIFICATION HAS CHANGED", "tls", "its host key is another one than in 'known_hosts'"),
    (r"Host key verification failed", "tls", "its host key is not in 'known_hosts'"),
    (r"certificate problem: ([^\n]*)", "tls", "its certificate does not verify: {}"),
    (r"server certificate verification failed", "tls", "its certificate does not verify with the bundle"),
    (
        r"SSL: (certificate subject name[^\n]*|no alternative certificate[^\n]*)",
        "tls",
        "its certificate does not verify: {}",
    ),
    (r"(gnutls_handshake\(\) failed[^\n]*|SSL_connect[^\n]*|error:\S*SSL[^\n]*)", "tls", "TLS: {}"),
    (r"(?:[Cc]ould not resolve host|[Uu]nable to look up)[^\n]*", "name", "its name does not resolve"),
    (r"returned error: (30[12378])", "redirect", "answers HTTP status {}"),
    (r"returned error: (40[13])", "denied", "answers HTTP status {}"),
    (r"could not read Username|Authentication failed", "denied", "wants a user and a password, or others"),
    (r"Permission denied \(([^)]*)\)", "denied", "refuses this user and key ({})"),
    (r"returned error: (404)|repository '[^\n]*' not found", "absent", "there is no such repository"),
    (
        r"does not appear to be a git repository|not exported|[Rr]epository not found",
        "absent",
        "there is no such repository",
    ),
    (r"returned error: (\d+)", "status", "answers HTTP status {}"),
    (r"not valid: is this a git repository", "answer", "what answers there is no Git server"),
    (r"Connection refused", "refused", "no connection: {}"),
    (r"No route to host|Network is unreachable", "unreachable", "no connection: {}"),
    (r"timed out", "silent", "the connection timed out"),
    (r"hung up|Connection (?:reset|closed)|Empty reply", "refused", CLOSED),
)
"""What git, libcurl (with GnuTLS or OpenSSL) and ssh say in English, the most telling first."""


def ask_repository(ask: AskRepository, means: Means) -> Branches | Trouble:
    """Return the branches of a repository. Raises a ValidatorError without git, or for secrets that cannot be read."""
    scheme, _, rest = ask.url.partition("://")
    place = parse_address(rest.partition("/")[0].rpartition("@")[2])
    address = Address(place.name, place.port or PORTS[scheme])
    try:
        ip = _ip(address, means)
    except NoAnswerError as error:
        return Trouble("name", str(error))
    # A URL with git:// names no server that could be verified, and git has no setting for its address.
    url = f"git://{Address(ip, address.port)}/{rest.partition('/')[2]}" if ip and scheme == "git" else ask.url
    started = time.monotonic()
    with TemporaryFolder() as folder, _key(ask.key, means) as key:
        environment = _environment(folder.path) | _configuration(_settings(ask, address, ip, folder.path, means))
        if scheme == "ssh":
            environment["GIT_SSH_COMMAND"] = shlex.join(_ssh(ask, address, ip, key, folder.path, means))
        command = [*MORTAL, f"{2 * means.timeout:g}", "git", "-C", str(folder.path)]
        command += ["ls-remote", "--heads", "--", url]
        try:
            done = run_bounded(command, timeout=means.timeout, limit=MAX_REFS, environment=environment)
        except EngineError:
            if time.monotonic() - started < means.timeout:
                return Trouble("answer", f"lists more than {MAX_REFS // 1024 // 1024} MiB of branches")
            return Trouble("silent", silence(means.timeout))
    if done.status == 0:
        return Branches(tuple(_names(done.stdout)))
    if done.status == NOT_FOUND:
        raise EngineError("git is not installed", "install the package git")
    if re.search("Failed to connect to|Couldn't connect to server|unable to connect to", done.stderr):
        return _no_connection(Address(ip or address.name, address.port), means)
    return said(done.stderr)


def _ip(address: Address, means: Means) -> str:
    """Return where to connect to, by the factory's resolvers; empty where the host's own way is the only one."""
    if address.ip or not means.resolvers:
        return ""
    return address_of(address.name, means.resolvers, means.timeout)


def _names(text: str) -> Iterator[str]:
    for line in text.splitlines():
        ref = line.partition("\t")[2]
        if ref.startswith(HEADS):
            yield printable(ref.removeprefix(HEADS), MAX_TEXT)


def _no_connection(place: Address, means: Means) -> Trouble:
    """Say why there is no connection, of which libcurl tells of no more than that."""
    try:
        with dial(place, means, Meter(means.timeout)):
            return Trouble("refused", "no connection at first, and one now")
    except BrokenError as error:
        return error.trouble


def said(stderr: str) -> Trouble:
    """Return what git and ssh mean by what they wrote on standard error."""
    for pattern, kind, text in _WORDS:
        if found := re.search(pattern, stderr):
            detail = next((group for group in found.groups() if group), found[0])
            return Trouble(kind, text.format(printable(detail.strip(), MAX_TEXT)))
    lines = [line.partition("fatal: ")[2] for line in stderr.splitlines() if line.startswith("fatal: ")]
    return Trouble("answer", f"git cannot read it: {printable(lines[0] if lines else 'no reason', MAX_TEXT)}")


def _environment(folder: Path) -> dict[str, str]:
    """Return what keeps git from everything that is not told here: git(1), "Environment variables"."""
    return {
        "HOME": str(folder),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(PORTS),
        "GIT_SSH_VARIANT": "ssh",
    }


def _settings(ask: AskRepository, address: Address, ip: str, folder: Path, means: Means) -> dict[str, str]:
    """Return git's settings for HTTP; what they name is written into ``folder``."""
    settings = {"http.followRedirects": "false", "http.sslVerify": "true"}
    if means.authorities:
        (folder / "ca.pem").write_bytes(pem_bundle(means.authorities))
        (folder / "none").mkdir()
        # Without the second, libcurl's own folder of CAs would count as well.
        settings |= {"http.sslCAInfo": str(folder / "ca.pem"), "http.sslCAPath": str(folder / "none")}
    if ip:
        settings["http.curloptResolve"] = f"{address}:{ip if ':' not in ip else f'[{ip}]'}"
    if ask.user and ask.password:
        settings["http.extraHeader"] = f"Authorization: {basic(ask.user, ask.password, means)}"
    return settings


def _configuration(settings: dict[str, str]) -> dict[str, str]:
    """Return the settings as git-config(1) takes them from the environment."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _ssh(ask: AskRepository, address: Address, ip: str, key: str, folder: Path, means: Means) -> list[str]:
    """Return the command for ssh, with all that ssh_config(5) would otherwise decide."""
    known = folder / "known_hosts"
    known.write_bytes(read_file(means.folder / (ask.known_hosts or ""), "known_hosts"))
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{known}"',
        "GlobalKnownHostsFile": os.devnull,
        "CheckHostIP": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": key,
        "PreferredAuthentications": "publickey",
    }
    if ip:
        port = address.port or PORTS["ssh"]
        alias = address.name if port == PORTS["ssh"] else f"[{address.name}]:{port}"
        options |= {"HostName": ip, "HostKeyAlias": alias}
    return ["ssh", "-F", "none", *(f"-o{name}={value}" for name, value in options.items())]


@contextlib.contextmanager
def _key(key: Secret | None, means: Means) -> Iterator[str]:
    """Give the name of a file with the private key, in memory, which only this account may read: ssh insists."""
    if key is None:
        yield ""
        return
    with os.fdopen(os.memfd_create("key", os.MFD_CLOEXEC), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key.read(means.folder).rstrip() + b"\n")
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"

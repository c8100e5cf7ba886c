"""Write the registry configuration of an image into a folder, as it will lie below the image's root."""

import argparse
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from registries_files import certificate_files, engine_files, host_of, tool_files

READABLE, SECRET = 0o644, 0o600


def main() -> int:
    """Run the command; return its exit status: 1 if a client key cannot be used, with a line of text for each."""
    parser = argparse.ArgumentParser(prog="render-registries", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", type=Path, required=True, help="site.json of the element airgap-site")
    parser.add_argument("--anchors", type=Path, required=True, help="folder of CA files *.crt; it may be absent")
    parser.add_argument("--engine", choices=("podman", "docker"), required=True)
    parser.add_argument("--data-root", required=True, help="where dockerd keeps its images")
    parser.add_argument("folder", type=Path, help="where to write; nothing is written for a site without registries")
    arguments = parser.parse_args()
    site = json.loads(arguments.site.read_text())
    problems = [*filter(None, map(key_problem, site["registries"])), *clashes(site)]
    if not arguments.data_root.startswith("/"):
        problems.append(f"DIB_CONTAINER_REGISTRIES_DATA_ROOT is {arguments.data_root!r}; it must be an absolute path")
    if problems:
        sys.stderr.writelines(f"ERROR: container-registries: {problem}\n" for problem in problems)
        return 1
    if not (site["registries"] or site["search_registries"]):
        sys.stdout.write("container-registries: the site file names no registry: the image keeps what packages bring\n")
        return 0
    authorities = "".join(path.read_text() for path in sorted(arguments.anchors.glob("*.crt")))
    files = {**tool_files(site), **certificate_files(site, "etc/containers", authorities)}
    if arguments.engine == "docker":
        files |= engine_files(site, arguments.data_root, has_authorities=bool(authorities))
        files |= certificate_files(site, "etc/docker", authorities)
    for path, content in files.items():
        write(arguments.folder / path, content)
    return 0


def key_problem(entry: dict[str, Any]) -> str | None:
    """Say why the client certificate of a registry cannot be used, or None. No word of its content is repeated."""
    if not entry["client_key"]:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(entry["client_cert"], entry["client_key"], password=lambda: b"")
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return f"registry {entry['prefix']}: {entry['client_key']} is not the key of {entry['client_cert']}"
        return f"registry {entry['prefix']}: {entry['client_key']} cannot be used: it is damaged or needs a password"
    return None


def clashes(site: dict[str, Any]) -> list[str]:
    """Say which hosts would be shown two client certificates: tools choose by host, not by path."""
    certificates: dict[str, set[str]] = {}
    for entry in site["registries"]:
        if entry["client_cert"]:
            certificates.setdefault(host_of(entry["location"]), set()).add(entry["client_cert"])
    return [f"{host} has more than one client_cert" for host, paths in certificates.items() if len(paths) > 1]


def write(path: Path, content: str) -> None:
    """Write a file with its folders. A key is never readable by others, not for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    mode = SECRET if path.suffix == ".key" else READABLE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)

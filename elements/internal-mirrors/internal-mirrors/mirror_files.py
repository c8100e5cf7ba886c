"""The package sources of an image as files, from the normalised site file that airgap-site wrote.

Everything is checked there; nothing in it needs quoting in any of these syntaxes.
"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

APT, DNF, ZYPPER = "apt", "dnf", "zypper"
MANAGERS = {
    **dict.fromkeys(("debian", "ubuntu"), APT),
    **dict.fromkeys(("almalinux", "centos", "fedora", "openeuler", "rhel", "rocky"), DNF),
    "opensuse": ZYPPER,
}
HEADER = "# Made by internal-mirrors when the image was built.\n"


def main(arguments: list[str]) -> int:
    """Write files for SITE.json, DISTRO_NAME and APT_FORMAT into FOLDER; return the exit status.

    FOLDER then has ``files``, a tree to lay over the image; ``keys``, the paths of keys that must be in the image;
    ``pip-lines`` and ``npm-lines``, settings; and an empty ``has-sources`` if the site has any for this distribution.
    """
    site, distribution, apt_format, folder = arguments
    mirrors = json.loads(Path(site).read_text())["mirrors"]
    manager = MANAGERS.get(distribution)
    if manager is None:
        return _refuse(f"DISTRO_NAME is '{distribution}'; known: {', '.join(sorted(MANAGERS))}")
    if apt_format not in ("deb822", "list"):
        return _refuse(f"DIB_INTERNAL_MIRRORS_APT_FORMAT is '{apt_format}'; it must be deb822 or list")
    _write_all(mirrors, manager, apt_format, Path(folder))
    sys.stdout.write(f"internal-mirrors: the site file has {len(mirrors[manager])} sources for {manager}\n")
    return 0


def _write_all(mirrors: dict[str, Any], manager: str, apt_format: str, folder: Path) -> None:
    entries = mirrors[manager]
    files = {DNF: _dnf, ZYPPER: _zypper, APT: _apt_list if apt_format == "list" else _apt_deb822}[manager](entries)
    _folder(folder / "files")
    for path, text in files.items():
        _write(folder / "files" / path, HEADER + text)
    _write(folder / "keys", "".join(f"{key}\n" for key in _keys(entries)))
    if entries:
        _write(folder / "has-sources", "")
    if mirrors["pip"]:
        _write(folder / "pip-lines", _pip(mirrors["pip"]))
    if mirrors["npm"]:
        _write(folder / "npm-lines", f"registry={mirrors['npm']['registry']}\n")


def _refuse(reason: str) -> int:
    sys.stderr.write(f"ERROR: internal-mirrors: {reason}\n")
    return 1


def _folder(path: Path) -> None:
    """Make a folder and those above it, open to all whatever the builder's umask is: they go into the image."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)


def _write(path: Path, text: str) -> None:
    _folder(path.parent)
    path.write_text(text)
    path.chmod(0o644)


def _apt_list(entries: list[dict[str, Any]]) -> dict[str, str]:
    lines = [
        f"deb [signed-by={entry['signed_by']}] {entry['uri']} {suite} {' '.join(entry['components'])}\n"
        for entry in entries
        for suite in entry["suites"]
    ]
    return {"etc/apt/sources.list.d/internal-mirrors.list": "".join(lines)} if lines else {}


def _apt_deb822(entries: list[dict[str, Any]]) -> dict[str, str]:
    stanzas = [
        f"Types: deb\nURIs: {entry['uri']}\nSuites: {' '.join(entry['suites'])}\n"
        f"Components: {' '.join(entry['components'])}\nSigned-By: {entry['signed_by']}\n"
        for entry in entries
    ]
    return {"etc/apt/sources.list.d/internal-mirrors.sources": "\n".join(stanzas)} if stanzas else {}


def _dnf(entries: list[dict[str, Any]]) -> dict[str, str]:
    sections = [_section(entry) + "sslverify=1\n" for entry in entries]
    return {"etc/yum.repos.d/internal-mirrors.repo": "\n".join(sections)} if sections else {}


def _zypper(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Return one file for each repository, as zypper itself keeps them. It verifies TLS unless a URL says otherwise."""
    return {
        f"etc/zypp/repos.d/{entry['id']}.repo": f"{_section(entry)}autorefresh=1\ntype=rpm-md\n" for entry in entries
    }


def _section(entry: dict[str, Any]) -> str:
    lines = [f"[{entry['id']}]", f"name={entry['id']}", f"baseurl={entry['baseurl']}", "enabled=1", "gpgcheck=1"]
    if entry["repo_gpgcheck"] is not None:
        lines.append(f"repo_gpgcheck={int(entry['repo_gpgcheck'])}")
    return "\n".join([*lines, f"gpgkey={entry['gpgkey']}", ""])


def _keys(entries: list[dict[str, Any]]) -> list[str]:
    """Return the paths of the keys that the image must hold."""
    keys = [entry.get("signed_by") or entry["gpgkey"] for entry in entries]
    return sorted({key.removeprefix("file://") for key in keys if not key.startswith("https:")})


def _pip(entry: dict[str, Any]) -> str:
    lines = f"index-url = {entry['index_url']}\n"
    if entry["index_url"].startswith("http:"):
        # The site file allowed it by name; without this line pip refuses the index.
        lines += f"trusted-host = {urlsplit(entry['index_url']).netloc}\n"
    return lines

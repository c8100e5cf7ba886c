"""What the files say that tell podman, buildah, skopeo, Docker and BuildKit where images come from.

Each function takes the content of ``site.json`` and returns files: path below the root, to text. The site's names have
been checked to be free of quotes and control characters, so that JSON's form of a string is TOML's as well.
"""

import json
from pathlib import Path
from typing import Any

Files = dict[str, str]

# Not from a registry, so that nothing is fetched: what a build makes, and archives and folders that skopeo copies.
LOCAL_TRANSPORTS = ("containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "tarball")
ACCEPT = [{"type": "insecureAcceptAnything"}]
LOG_OPTIONS = {"max-size": "50m", "max-file": "3"}


def tool_files(site: dict[str, Any]) -> Files:
    """Return what podman, buildah and skopeo read: registries.conf (version 2) and policy.json."""
    scopes = {*(entry["prefix"] for entry in site["registries"]), *site["search_registries"]}
    transports = {"docker": dict.fromkeys(sorted(scopes), ACCEPT)}
    policy = {
        "default": [{"type": "reject"}],
        "transports": {**transports, **{name: {"": ACCEPT} for name in LOCAL_TRANSPORTS}},
    }
    return {"etc/containers/registries.conf": _registries_conf(site), "etc/containers/policy.json": _json(policy)}


def _registries_conf(site: dict[str, Any]) -> str:
    lines = [
        f"unqualified-search-registries = {json.dumps(site['search_registries'])}",
        'short-name-mode = "enforcing"',
    ]
    for entry in site["registries"]:
        # Zuul's use-buildset-registry reads the prefix of every table.
        lines += ["", "[[registry]]", f"prefix = {json.dumps(entry['prefix'])}"]
        lines += [f"location = {json.dumps(entry['location'])}"]
        for mirror in entry["mirrors"]:
            lines += ["", "[[registry.mirror]]", f"location = {json.dumps(mirror)}"]
    return "\n".join(lines) + "\n"


def engine_files(site: dict[str, Any], data_root: str, *, has_authorities: bool) -> Files:
    """Return what Docker's daemon and BuildKit read; ``has_authorities``: there is a ca.crt for every host."""
    daemon = {
        "data-root": data_root,
        "log-driver": "json-file",
        "log-opts": LOG_OPTIONS,
        # Docker asks these for short names, which it takes for names of the public hub, and for nothing else.
        "registry-mirrors": [f"https://{name}" for name in site["search_registries"] if "/" not in name],
    }
    return {
        "etc/docker/daemon.json": _json(daemon),
        "etc/buildkit/buildkitd.toml": _buildkitd(site, has_authorities=has_authorities),
    }


def _buildkitd(site: dict[str, Any], *, has_authorities: bool) -> str:
    mirrors: dict[str, list[str]] = {}
    for entry in site["registries"]:
        # BuildKit rewrites whole hosts: it has nothing like a location, and no prefixes with a path.
        if "/" not in entry["prefix"]:
            moved = [entry["location"]] if entry["location"] != entry["prefix"] else []
            mirrors[entry["prefix"]] = [*entry["mirrors"], *moved]
    clients = _clients(site)
    lines = []
    for host in _hosts(site):
        folder = f"/etc/docker/certs.d/{host}"
        lines += [f"[registry.{json.dumps(host)}]"]
        lines += [f"mirrors = {json.dumps(mirrors[host])}"] if mirrors.get(host) else []
        lines += [f"ca = {json.dumps([f'{folder}/ca.crt'])}"] if has_authorities else []
        if host in clients:
            lines += ["", f"[[registry.{json.dumps(host)}.keypair]]"]
            lines += [f'key = "{folder}/client.key"', f'cert = "{folder}/client.cert"']
        lines += [""]
    return "\n".join(lines)


def certificate_files(site: dict[str, Any], folder: str, authorities: str) -> Files:
    """Return ``certs.d`` below ``folder`` for every host: CAs (PEM text, maybe empty), client certificates."""
    files: Files = {}
    if authorities:
        files |= {f"{folder}/certs.d/{host}/ca.crt": authorities for host in _hosts(site)}
    for host, entry in _clients(site).items():
        for name in ("cert", "key"):
            files[f"{folder}/certs.d/{host}/client.{name}"] = Path(entry[f"client_{name}"]).read_text()
    return files


def _hosts(site: dict[str, Any]) -> list[str]:
    """Every host with its port that images may come from, mirrors among them."""
    names = list(site["search_registries"])
    for entry in site["registries"]:
        names += [entry["prefix"], entry["location"], *entry["mirrors"]]
    return sorted({host_of(name) for name in names})


def _clients(site: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Host with its port, to the entry whose client certificate is shown to it."""
    return {host_of(entry["location"]): entry for entry in site["registries"] if entry["client_key"]}


def host_of(name: str) -> str:
    """Return ``host[:port]`` of what the name of an image begins with."""
    return name.partition("/")[0]


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"

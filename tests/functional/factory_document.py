"""The factory.yaml about ``factory_lab``: every section and every entry that ``readiness init`` shows."""

from pathlib import Path
from typing import Any

from tests.functional.factory_lab import DB, PROXY, ZUUL, FactoryLab
from tests.functional.factory_pages import COMPONENTS, IMAGE, LABEL, PROVIDER, RECAP, TENANT

CANARIES = [
    {"address": "10.1.0.11", "port": 443},
    {"address": "10.0.0.54", "protocol": "dns"},
    {"address": "fd00::54", "port": 443},
]
BOOTSTRAP = {"address": "10.1.0.11", "port": 80, "note": "first packages", "closed_by": "2026-01-31"}


def document(lab: FactoryLab, image: Path, report: Path) -> dict[str, Any]:
    """Return all of it; a test may change it."""
    ports, registry = lab.ports, f"127.0.0.1:{lab.ports['registry']}"
    here = {"addresses": ["127.0.0.1"]}
    client = {"certificate": "client.pem", "key": "file:client.key"}
    clouds = {"clouds": f"file:{lab.cloud.clouds_yaml}", "cloud": "internal"}
    return {
        "version": 1,
        "name": "whole",
        "description": "everything that a factory can name",
        "endpoints": [
            {"name": ZUUL, "port": ports["site"], **here, "reverse": True},
            {"name": "logs.internal", "port": ports["mutual"], **here, "client": client},
            {"name": "registry.internal", "port": ports["registry"]},
            {"name": "mirror.internal", "port": ports["mirror"], **here},
            {"name": lab.members[0].name, "port": lab.members[0].port, "http": False},
            {"name": "git.internal", "port": ports["site"], "tls": False},
            {"name": "10.1.0.10", "port": 443, "tls": False},  # beyond the firewall, and open
        ],
        "dns": {"resolvers": list(lab.resolvers), "public_names": ["www.example.org"], "nodes": [lab.node.url]},
        "certificates": {"bundle": "root.pem", "min_days_left": 1, "min_protocol": "TLSv1.2", "min_rsa_bits": 2048}
        | {"images": [str(image)]},
        "storage": {
            "images": [{"image": f"{registry}/kolla/base:1"}],
            "packages": [{"index": _url("mirror", ports, "served/Packages.xz", "mirror"), "packages": ["podman"]}],
            "mirrors": [
                {"path": "/tmp"},
                {"node": lab.node.url, "path": "/srv"},
                {"object_store": "mirror"},
                {"object_store": "logs", "quota": "2 TB"},
                {"name": "elsewhere", "quota": "2 TB"},
            ],
            "factor": 2,
            "auth": "file:auth.json",
        },
        "node_images": [
            {
                "image": str(image),
                "policy": "container-node",
                "report": str(report),
                "max_age_days": 30,
                "served_by": [
                    {"nodepool": _url("nodepool", ports, "nodepool"), "image": IMAGE, "provider": PROVIDER, **clouds},
                    {"zuul": _url("zuul", ports, server="images"), "tenant": TENANT, "image": IMAGE}
                    | {"provider": PROVIDER, **clouds},
                ],
            }
        ],
        "firewall": {
            "nodes": [lab.node.url],
            "reachable": ["[fd00::10]:443"],
            "canaries": CANARIES,
            "proxies": [
                {"proxy": lab.proxy, "allowed": ["10.1.0.10:443"], "refused": ["www.example.org:443"]}
                | {"credentials": "env:PROXY_CREDENTIALS"}
            ],
        },
        "bootstrap": {
            "nodes": [lab.node.url],
            "paths": [
                BOOTSTRAP,
                {"proxy": f"{PROXY}:3128", "target": "www.example.org:443"} | {"credentials": "env:PROXY_CREDENTIALS"},
            ],
        },
        "services": _services(lab, client, clouds),
        "limits": {"timeout": 20, "parallel": 16},
        "severity": {"dns-reverse": "info"},
        "waivers": [],
    }


def _url(host: str, ports: dict[str, int], path: str = "", server: str = "site") -> str:
    return f"https://{host}.internal:{ports[server]}/{path}".rstrip("/")


def _services(lab: FactoryLab, client: dict[str, str], clouds: dict[str, str]) -> dict[str, Any]:
    ports, folder = lab.ports, lab.folder
    access = {"access_key": "file:s3.access", "secret_key": "file:s3.secret"}
    tenant = {"name": TENANT, "labels": [LABEL], "config_errors": 0}
    return {
        "zookeeper": [
            {"name": "zuul", "members": [f"{member.name}:{member.port}" for member in lab.members], "client": client}
            | {"chroot": "/zuul", "digest": "env:ZK_DIGEST", "plain_port": 2181}
        ],
        "databases": [
            {"name": "zuul", "kind": "postgresql", "database": "zuul", "user": "readiness"}
            | {"servers": [f"{name}:{port}" for name, port in zip(DB, lab.databases, strict=True)]}
            | {"password": "env:DB_PASSWORD", "min_replicas": 1, "max_lag": 60}
        ],
        "object_stores": [
            {
                "name": "logs",
                "s3": {"url": f"https://127.0.0.1:{ports['s3']}", "bucket": "zuul-logs", **access},
                "write": True,
            },
            {"name": "mirror", "swift": {**clouds, "container": "mirror"}},
        ],
        "web_paths": [
            {"url": _url("logs", ports, "probe") + "/", "path": str(folder / "pages/probe"), "node": lab.node.url}
        ],
        "logs": [
            {"url": _url("logs", ports) + "/", "status": 403},
            {"url": _url("logs", ports, "probe/job-output.txt.gz"), "text": RECAP, "content_type": "text/plain"}
            | {"gzip": True},
        ],
        "zuul": [
            {"url": _url("zuul", ports), "components": dict.fromkeys(COMPONENTS, 1), "tenants": [tenant]}
            | {"token": "env:ZUUL_TOKEN"}
        ],
        "nodepool": [
            {"url": _url("nodepool", ports, "nodepool"), "labels": [LABEL], "ready_nodes": {LABEL: 1}}
            | {"images": [{"name": IMAGE, "providers": [PROVIDER]}]}
        ],
        "gerrit": [
            {"url": _url("review", ports), "projects": [{"name": "zuul/config", "branches": ["main"]}]}
            | {"user": "factory", "password": "env:GERRIT_PASSWORD"}
        ],
        "git": [
            {"url": _url("git", ports, "git/config"), "branches": ["main"]},
            {"url": f"{lab.node.url}{folder}/repositories/config", "branches": ["main"]}
            | {"key": f"file:{lab.node.key}", "known_hosts": "known_hosts"},
        ],
    }

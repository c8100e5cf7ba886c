"""A whole factory in a network namespace: a server of every kind that a ``factory.yaml`` can name, side by side.

They run in the container of ``egress_lab``, on its loopback, so that the build node, an sshd among them, has a firewall
between itself and the world. What Zuul and Nodepool say is in ``factory_pages``: half a minute to start the real ones
is too long here, see ``test_readiness_zuul.py`` and ``test_readiness_nodepool.py``.
"""

import base64
import contextlib
import datetime
import hashlib
import json
import lzma
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from tests.elements.pki import DAY, Issued, make_client, make_server
from tests.functional import postgresql
from tests.functional.egress_lab import DNS, Lab
from tests.functional.factory_pages import IDENTITY, IMAGE, SITE, write_pages
from tests.functional.git_servers import BACKEND, fastcgi, make_repository
from tests.functional.openstack_cloud import Cloud, Image, openstack_cloud
from tests.functional.readiness_gate import guarded, inside, node, tinyproxy
from tests.functional.readiness_images import put_image
from tests.functional.readiness_lab import TlsServer, dnsmasq, nginx, presenting
from tests.functional.registry import registry
from tests.functional.s3_store import s3_store
from tests.functional.swift_store import swift_store
from tests.functional.zookeeper import ZooKeeper, ensemble
from tests.support.sshd import Server

ZK = ("zk1.internal", "zk2.internal", "zk3.internal")
DB = ("db1.internal", "db2.internal")
HOSTS = ("logs", "registry", "mirror", "nodepool", "review", "git")
NAMES = (*(f"{host}.internal" for host in HOSTS), *ZK, *DB)
ZUUL = "zuul.internal"
ZONE = (f"--host-record={ZUUL},127.0.0.1", *(f"--address=/{name}/127.0.0.1" for name in NAMES))
PROXY = "10.1.0.20"
PACKAGES = "Package: podman\nVersion: 1\nSize: 1000\nFilename: podman.deb\n\n"
SECRETS = {
    "ZK_DIGEST": "zuul:s3cret-of-zookeeper",
    "DB_PASSWORD": postgresql.PASSWORD,
    "PROXY_CREDENTIALS": "node:s3cret-of-the-proxy",
    "GERRIT_PASSWORD": "s3cret-of-gerrit",
    "ZUUL_TOKEN": "s3cret.of.zuul",
    "REGISTRY_PASSWORD": "s3cret-of-the-registry",
}
"""By environment variable; the last one goes into a file of containers-auth.json(5)."""


@dataclass(frozen=True)
class FactoryLab:
    """All servers. ``ports`` by name: those of nginx, ``registry``, and what is behind ``cloud``."""

    folder: Path
    network: Lab
    resolvers: tuple[str, str]
    """The first one notes in ``dns-0.log`` what it is asked, the second one in ``dns-1.log``."""
    members: list[ZooKeeper]
    databases: tuple[int, int]
    ports: dict[str, int]
    cloud: Cloud
    node: Server
    proxy: str
    secrets: list[str] = field(default_factory=list)
    """Everything that nobody may tell."""


@contextlib.contextmanager
def factory_lab(folder: Path, authority: Issued, image: Path) -> Iterator[FactoryLab]:
    """Run it all in ``folder`` with certificates of ``authority``; ``image`` is in the cloud. The thread is moved."""
    (folder / "root.pem").write_bytes(authority.cert_pem)
    client = make_client(authority, "factory")
    (folder / "client.pem").write_bytes(client.cert_pem)
    (folder / "client.key").write_bytes(client.key_pem)
    leaf = make_server(authority, ["127.0.0.1", ZUUL, *NAMES])
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        (folder / "net").mkdir()
        network = start(guarded(folder / "net"))
        (folder / "net/list").write_text("^10[.]1[.]0[.]10$\n")
        settings = (f'Filter "{folder}/net/list"', "FilterDefaultDeny Yes", "ConnectPort 443")
        login = SECRETS["PROXY_CREDENTIALS"].replace(":", " ")
        tunnel = start(tinyproxy(network, folder / "net", PROXY, 3128, *settings, f"BasicAuth {login}"))
        start(inside(network, "box"))
        resolvers = start(_resolver(folder / "dns-0.log")), start(_resolver(folder / "dns-1.log"))
        members = start(ensemble(folder / "zookeeper", authority, ZK))
        _make_chroot(members[0])
        primary = start(postgresql.postgresql(authority, leaf))
        standby = start(postgresql.standby_of(primary, authority, leaf))
        cloud = start(openstack_cloud(folder / "cloud", leaf, authority))
        _put(cloud, image)
        site = start(_stores(folder, cloud))
        ports = start(_web(folder, authority, leaf, site))
        ports["registry"] = start(_registry(folder, leaf, authority))
        cloud.elsewhere["object-store"] = f"https://127.0.0.1:{ports['swift']}/v1/AUTH_ci"
        (folder / "node").mkdir()
        (folder / "node/resolv.conf").write_text(f"nameserver {DNS}\n")
        server = start(node(folder / "node", [f"127.0.0.1 {name}" for name in (ZUUL, *NAMES)]))
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        databases = primary.port, standby.port
        secrets = [*SECRETS.values(), cloud.password, cloud.token, (folder / "s3.secret").read_text().strip()]
        secrets += [(folder / "registry.token").read_text(), client.key_pem.decode().splitlines()[1]]
        secrets += [word for one in SECRETS.values() for word in one.split(":") if "s3cret" in word]
        yield FactoryLab(
            folder, network, resolvers, members, databases, ports, cloud, server, tunnel, sorted(set(secrets))
        )


def _resolver(log: Path) -> contextlib.AbstractContextManager[str]:
    """Return a resolver of the zone, which notes what it is asked."""
    return dnsmasq(*ZONE, "--log-queries", f"--log-facility={log}")


def _make_chroot(server: ZooKeeper) -> None:
    files = {"ca": "ca.pem", "certfile": "client.pem", "keyfile": "client.key"}
    options = {option: str(server.folder / name) for option, name in files.items()}
    tree = KazooClient(f"127.0.0.1:{server.port}", use_ssl=True, **options)
    tree.start(timeout=20)
    tree.create("/zuul", b"", acl=[make_digest_acl(*SECRETS["ZK_DIGEST"].split(":"), all=True)])
    tree.stop()
    tree.close()


def _put(cloud: Cloud, image: Path) -> None:
    """Have the image in the cloud, as openstacksdk uploads it and Glance digests it."""
    with image.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    body = {"id": IDENTITY, "name": IMAGE, "disk_format": "qcow2", "status": "active", "size": image.stat().st_size}
    cloud.images[IDENTITY] = Image({**body, "owner_specified.openstack.sha256": sha256})


@contextlib.contextmanager
def _stores(folder: Path, cloud: Cloud) -> Iterator[dict[str, int]]:
    """Run S3 with the bucket ``zuul-logs``, and Swift with the container ``mirror``; give their ports."""
    with s3_store(folder / "s3") as s3, swift_store(folder / "swift") as swift:
        s3.ask("PUT", "/zuul-logs")
        s3.user("factory", "s3:*")
        for name, content in zip(("access", "secret"), s3.keys["factory"], strict=True):
            (folder / f"s3.{name}").write_text(f"{content}\n")
        s3.lock()
        swift.ask("PUT", "/mirror", X_Container_Meta_Quota_Bytes="1000000")
        cloud.token = swift.token("admin")
        yield {"s3": s3.port, "swift": swift.port}


@contextlib.contextmanager
def _web(folder: Path, authority: Issued, leaf: Issued, behind: dict[str, int]) -> Iterator[dict[str, int]]:
    """Run nginx for everything that speaks HTTP; ``behind`` it are object stores. Give the ports."""
    pages, mirror = folder / "pages", folder / "served"
    write_pages(pages)
    mirror.mkdir()
    (mirror / "Packages.xz").write_bytes(lzma.compress(PACKAGES.encode()))
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    words = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(words, input=SECRETS["GERRIT_PASSWORD"], check=True, text=True, stdout=subprocess.PIPE)
    (pages / "users").write_text(f"factory:{done.stdout}")
    make_repository(folder / "repositories/config", ["main"])
    soon = make_server(authority, ["mirror.internal"], None, datetime.datetime.now(datetime.UTC) + 10 * DAY)
    clients = f"ssl_client_certificate {folder}/root.pem; ssl_verify_client on;"
    with fastcgi(folder) as backend:
        git = BACKEND.format(place="/git", guard="", root=folder / "repositories", socket=backend)
        servers: dict[str, TlsServer] = {
            "site": presenting(leaf, settings=SITE.format(pages=pages, token=SECRETS["ZUUL_TOKEN"]) + git),
            "mirror": presenting(leaf, settings=f"location /served/ {{ root {folder}; }}"),
            "mutual": presenting(leaf, settings=clients),
            "images": presenting(leaf, settings=f"location /api/ {{ root {pages}/zuul; }}"),
            "soon": presenting(soon),
        }
        for name, port in behind.items():
            forward = f"proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;"
            servers[name] = presenting(leaf, settings=f"location ~ ^/. {{ {forward} }}")
        (folder / "nginx").mkdir()
        with nginx(folder / "nginx", servers) as ports:
            yield ports


@contextlib.contextmanager
def _registry(folder: Path, leaf: Issued, authority: Issued) -> Iterator[int]:
    """Run a registry that wants to know who asks, with one image; give its port."""
    place, password = folder / "registry", SECRETS["REGISTRY_PASSWORD"]
    (place / "certs").mkdir(parents=True)
    (place / "certs/ca.crt").write_bytes(authority.cert_pem)
    with registry(place, leaf, authority) as running:
        put_image(running, "kolla/base:1", {"linux/amd64": [b"x" * 5000]}, folder / "layout")
    (place / "htpasswd").write_text(f"reader:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
    more = f"auth: {{htpasswd: {{realm: test, path: {place}/htpasswd}}}}"
    token = base64.b64encode(f"reader:{password}".encode()).decode()
    with registry(place, leaf, authority, more=more) as running:
        auth = {"auths": {f"127.0.0.1:{running.port}": {"auth": token}}}
        (folder / "auth.json").write_text(json.dumps(auth))
        (folder / "registry.token").write_text(token)
        yield running.port

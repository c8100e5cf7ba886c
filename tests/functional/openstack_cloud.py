"""A cloud on loopback that takes images: as much of Keystone v3 and Glance v2 as openstacksdk asks for.

It speaks TLS, hands out a token for one password or application credential, and refuses every other request. What
arrives is digested and dropped. The forms are those of the Identity API v3 and the Image API v2 references.
"""

import contextlib
import hashlib
import json
import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.elements.pki import Issued

USER, PROJECT, CREDENTIAL = "nodepool", "ci", "c4ed"
NAMES = {"identity": "keystone", "image": "glance"}
CHUNK = 1024 * 1024
STAMP = "2026-01-01T00:00:00Z"


@dataclass
class Image:
    """What Glance knows of an image: its body as clients see it, and the SHA-256 of what was uploaded."""

    body: dict[str, Any]
    sha256: str = ""


@dataclass
class Cloud:
    """A running cloud. ``images`` by id; ``requests`` are all that were served, ``METHOD path``, in their order.

    ``elsewhere``: URLs of other services for the catalogue, by type; ``token``: what Keystone hands out, if they
    know one.
    """

    folder: Path
    url: str = ""
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    tokens: set[str] = field(default_factory=set)
    images: dict[str, Image] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @property
    def clouds_yaml(self) -> Path:
        """The file for OS_CLIENT_CONFIG_FILE; the cloud's name in it is ``internal``."""
        return self.folder / "clouds.yaml"

    def active(self, name: str) -> list[Image]:
        """Return the images whose upload is complete and whose name begins with ``name``."""
        found = self.images.values()
        return [image for image in found if image.body["status"] == "active" and image.body["name"].startswith(name)]

    def writes(self) -> list[str]:
        """Return the requests that would have changed something in the image service."""
        return [line for line in self.requests if "/image/" in line and not line.startswith("GET ")]


@contextlib.contextmanager
def openstack_cloud(folder: Path, server: Issued, authority: Issued) -> Iterator[Cloud]:
    """Run a cloud with the certificate ``server``, signed by ``authority``, until the block ends."""
    folder.mkdir(parents=True)
    (folder / "server.pem").write_bytes(server.key_pem + server.cert_pem)
    (folder / "ca.pem").write_bytes(authority.cert_pem)
    cloud = Cloud(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cloud": cloud}))
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    cloud.url = f"https://127.0.0.1:{listener.server_address[1]}"
    cloud.clouds_yaml.write_text(_clouds_yaml(cloud))
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield cloud
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _clouds_yaml(cloud: Cloud) -> str:
    login = {"auth_url": f"{cloud.url}/identity/v3", "username": USER, "password": cloud.password}
    login |= {"project_name": PROJECT, "user_domain_name": "Default", "project_domain_name": "Default"}
    entry = {"auth": login, "region_name": "RegionOne", "cacert": str(cloud.folder / "ca.pem"), "interface": "public"}
    return yaml.safe_dump({"clouds": {"internal": {**entry, "identity_api_version": "3", "image_format": "qcow2"}}})


class _Handler(BaseHTTPRequestHandler):
    """One connection. Keystone is below /identity, Glance below /image."""

    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

    def log_message(self, *_: object) -> None:
        """Keep pytest's output clean; ``Cloud.requests`` has it all."""

    def _serve(self) -> None:
        path = urlsplit(self.path).path.rstrip("/")
        self.cloud.requests.append(f"{self.command} {self.path}")
        match self.command, path.strip("/").split("/"):
            case "GET", ["identity", "v3"]:
                self._answer(HTTPStatus.OK, {"version": _version("v3.14", f"{self.cloud.url}/identity/v3/")})
            case "POST", ["identity", "v3", "auth", "tokens"]:
                self._token()
            case "GET", ["image"]:
                versions = [_version("v2.16", f"{self.cloud.url}/image/v2/", "CURRENT")]
                self._answer(HTTPStatus.MULTIPLE_CHOICES, {"versions": versions})
            case _, ["image", "v2", "images", *rest]:
                if self.headers.get("X-Auth-Token") in self.cloud.tokens:
                    self._images(rest)
                else:
                    self._read()
                    self._answer(HTTPStatus.UNAUTHORIZED, {})
            case _:
                self._read()
                self._answer(HTTPStatus.NOT_FOUND, {})

    def _token(self) -> None:
        identity = json.loads(self._read())["auth"]["identity"]
        if identity["methods"] == ["application_credential"]:
            given = identity["application_credential"]
            known = (given["id"], given["secret"]) == (CREDENTIAL, self.cloud.password)
        else:
            user = identity["password"]["user"]
            known = (user["name"], user["password"]) == (USER, self.cloud.password)
        if not known:
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": {"code": 401, "message": "no", "title": "Unauthorized"}})
            return
        token = self.cloud.token or secrets.token_hex(16)
        self.cloud.tokens.add(token)
        endpoint = {"id": "e", "interface": "public", "region": "RegionOne", "region_id": "RegionOne"}
        services = {kind: f"{self.cloud.url}/{kind}" for kind in ("identity", "image")} | self.cloud.elsewhere
        catalog = [
            {"id": kind, "name": NAMES.get(kind, kind), "type": kind, "endpoints": [{**endpoint, "url": url}]}
            for kind, url in services.items()
        ]
        domain = {"id": "default", "name": "Default"}
        body = {
            "methods": ["password"],
            "user": {"id": "u", "name": USER, "domain": domain},
            "project": {"id": "p", "name": PROJECT, "domain": domain},
            "roles": [{"id": "r", "name": "member"}],
            "catalog": catalog,
            "issued_at": STAMP,
            "expires_at": "2999-01-01T00:00:00.000000Z",
        }
        self._answer(HTTPStatus.CREATED, {"token": body}, {"X-Subject-Token": token})

    def _images(self, rest: list[str]) -> None:
        images = self.cloud.images
        match self.command, rest:
            case "GET", []:
                names = parse_qs(urlsplit(self.path).query).get("name")
                found = [image.body for image in images.values() if not names or image.body["name"] in names]
                self._answer(HTTPStatus.OK, {"images": found, "schema": "/v2/schemas/images"})
            case "POST", []:
                body = {**json.loads(self._read()), "id": secrets.token_hex(16), "status": "queued"}
                images[body["id"]] = Image({**body, "created_at": STAMP, "updated_at": STAMP})
                self._answer(HTTPStatus.CREATED, images[body["id"]].body)
            case _, [known, *_] if known not in images:
                self._read()
                self._answer(HTTPStatus.NOT_FOUND, {})
            case "GET", [known]:
                self._answer(HTTPStatus.OK, images[known].body)
            case "DELETE", [known]:
                del images[known]
                self._answer(HTTPStatus.NO_CONTENT, None)
            case "PUT", [known, "file"]:
                self._upload(images[known])
            case _:
                self._read()
                self._answer(HTTPStatus.METHOD_NOT_ALLOWED, {})

    def _upload(self, image: Image) -> None:
        sha256, sha512, size = hashlib.sha256(), hashlib.sha512(), 0
        for chunk in self._chunks():
            sha256.update(chunk)
            sha512.update(chunk)
            size += len(chunk)
        image.sha256 = sha256.hexdigest()
        image.body |= {"status": "active", "size": size, "os_hash_algo": "sha512", "os_hash_value": sha512.hexdigest()}
        self._answer(HTTPStatus.NO_CONTENT, None)

    def _read(self) -> bytes:
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        """Yield the body of the request, which has a length or comes in chunks (RFC 9112, section 7.1)."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left and (chunk := self.rfile.read(min(left, CHUNK))):
            left -= len(chunk)
            yield chunk

    def _answer(self, status: HTTPStatus, body: object, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _version(number: str, url: str, status: str = "stable") -> dict[str, Any]:
    return {"id": number, "status": status, "links": [{"rel": "self", "href": url}]}

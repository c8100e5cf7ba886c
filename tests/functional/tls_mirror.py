"""The host's own apt mirror, served over TLS on 127.0.0.1 under a certificate that the host does not trust.

    ca = make_ca("Throw-away CA")
    with tls_mirror(tmp_path, make_server(ca, ["127.0.0.1"])) as mirror:
        build(DIB_DISTRIBUTION_MIRROR=mirror.debian, DIB_DEBIAN_SECURITY_MIRROR=mirror.security)
    assert "GET /debian/dists/" in mirror.requests()

Which mirror that is comes from apt's configuration at run time.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from airgap_image_factory.mirror import choose_mirror
from tests.elements.pki import Issued
from tests.functional.ports import free_port
from tests.support.nginx import nginx

SERVER = """\
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.crt;
        ssl_certificate_key {folder}/server.key;
        proxy_http_version 1.1;
        proxy_max_temp_file_size 0;
        proxy_set_header Connection "";
        proxy_ssl_server_name on;
        root {content};
        autoindex on;
{locations}
    }}"""

LOCATION = """\
        location /{name}/ {{
            proxy_pass {upstream}/;
            proxy_set_header Host {host};
        }}"""


@dataclass(frozen=True)
class TlsMirror:
    """A running mirror. ``debian`` and ``security`` are the URLs to build with; ``folder`` holds its files."""

    port: int
    folder: Path

    @property
    def debian(self) -> str:
        """URL of the distribution's mirror."""
        return f"https://127.0.0.1:{self.port}/debian"

    @property
    def security(self) -> str:
        """URL of the security mirror."""
        return f"https://127.0.0.1:{self.port}/debian-security"

    @property
    def content(self) -> Path:
        """Folder of what else is served."""
        return self.folder / "content"

    def requests(self) -> str:
        """The access log up to now, one request per line."""
        return (self.folder / "access.log").read_text()


@contextlib.contextmanager
def tls_mirror(folder: Path, server: Issued) -> Iterator[TlsMirror]:
    """Serve the host's mirrors with certificate ``server`` until the block ends; needs nginx.

    ``folder`` gets configuration, key and logs; what is put into its folder ``content`` is served as well, with an
    index of each folder. RuntimeError with nginx's log if it does not start.
    """
    mirror = TlsMirror(free_port(), folder)
    host = choose_mirror(None, None)
    upstream = {"debian": host.archive, "debian-security": host.security}
    mirror.content.mkdir(parents=True, exist_ok=True)
    (folder / "server.crt").write_bytes(server.cert_pem)
    (folder / "server.key").write_bytes(server.key_pem)
    locations = [LOCATION.format(name=name, upstream=url, host=urlsplit(url).netloc) for name, url in upstream.items()]
    described = SERVER.format(folder=folder, port=mirror.port, content=mirror.content, locations="\n".join(locations))
    with nginx(folder, described, [mirror.port]):
        yield mirror

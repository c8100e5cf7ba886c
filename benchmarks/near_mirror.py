"""The host's own package mirror, brought near: what was downloaded once is served from the loopback after that.

In an air-gapped network the mirror is in the next room. Here it may be behind a proxy and half a world, and what that
takes differs from build to build by more than what is measured.
"""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.functional.ports import free_port
from tests.support.nginx import nginx

from airgap_image_factory.mirror import Mirror

SERVER = """\
    proxy_cache_path {folder}/cache use_temp_path=off keys_zone=packages:10m inactive=1d;
    server {{
        listen 127.0.0.1:{port};
        proxy_cache packages;
        proxy_cache_valid 200 1d;
        proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_ssl_server_name on;
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 5;
        proxy_ssl_trusted_certificate {trusted};
        {locations}
    }}"""
"""nginx.org's documentation of ngx_http_proxy_module. Whoever downloads checks the signatures of what is kept here."""

LOCATION = """location /{name}/ {{ proxy_pass {upstream}/; proxy_set_header Host {host}; }}"""


@contextlib.contextmanager
def near_mirror(mirror: Mirror, folder: Path) -> Iterator[Mirror]:
    """Serve ``mirror`` on the loopback while the block runs, from ``folder``, which must not be there yet.

    Raises RuntimeError with nginx's log if it does not start.
    """
    folder.mkdir(parents=True)
    port = free_port()
    upstreams = {"debian": mirror.archive, "debian-security": mirror.security}
    server = SERVER.format(
        folder=folder,
        port=port,
        trusted=ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt",
        locations="\n        ".join(
            LOCATION.format(name=name, upstream=url, host=urlsplit(url).netloc) for name, url in upstreams.items()
        ),
    )
    with nginx(folder, server, [port]):
        yield Mirror(f"http://127.0.0.1:{port}/debian", f"http://127.0.0.1:{port}/debian-security")

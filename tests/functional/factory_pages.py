"""What the web servers of a factory say, as files for nginx, in the form of the real ones.

Zuul: zuul.web.ZuulWebAPI of Zuul 14.3. Nodepool: nodepool/status.py of Nodepool 11. Gerrit: rest-api-config.html and
rest-api-projects.html.
"""

import gzip
import json
from pathlib import Path
from typing import Final

LABEL: Final = "debian-bookworm-airgap"
IMAGE: Final = "debian-bookworm"
PROVIDER: Final = "internal-cloud"
IDENTITY: Final = "4b1d"
"""Of the image in the cloud."""
TENANT: Final = "images"
COMPONENTS: Final = ("scheduler", "executor", "merger", "web", "launcher")
RECAP: Final = "PLAY RECAP: node.internal ok=7"

BRANCHES = """\
)]}'
[{"ref": "HEAD", "revision": "main"},
 {"ref": "refs/heads/main", "revision": "67ebf73496383c6777035e374d2d664009e2aa5c"}]
"""
SITE = """
        default_type application/json;
        location /api/ {{ if ($http_authorization != "Bearer {token}") {{ return 401; }} root {pages}/zuul; }}
        location /nodepool/ {{ root {pages}; }}
        location ~ ^/a/projects/zuul(%2F|/)config/branches/$ {{
            auth_basic Gerrit; auth_basic_user_file {pages}/users; try_files /gerrit/branches =404;
        }}
        location = /a/config/server/version {{
            auth_basic Gerrit; auth_basic_user_file {pages}/users; try_files /gerrit/version =404;
        }}
        location ~ ^/probe/.*[.]gz$ {{ default_type text/plain; types {{ }} add_header Content-Encoding gzip; }}
        location /probe/ {{ default_type text/plain; }}
        location = / {{ return 403; }}
        root {pages};
"""


def write_pages(folder: Path) -> None:
    """Write everything below ``folder``, which is new."""
    rows = {kind: [{"hostname": f"{kind}1", "state": "running", "version": "14.3.0"}] for kind in COMPONENTS}
    upload = {"id": "0000000002", "image": IMAGE, "provider": PROVIDER, "upload_id": "0000000001"}
    artifact = {
        "build_uuid": "b1",
        "format": "qcow2",
        "sha256": None,
        "state": "ready",
        "timestamp": "2026-01-01T00:00:00",
    }
    named = [{"endpoint_name": PROVIDER, "external_id": IDENTITY, "state": "ready", "validated": True}]
    uploads = [{**one, "timestamp": "2026-01-01T00:00:00"} for one in named]
    pages = {
        "zuul/api/components": rows,
        "zuul/api/tenants": [{"name": TENANT}],
        f"zuul/api/tenant/{TENANT}/status": {"pipelines": [{"name": "check"}]},
        f"zuul/api/tenant/{TENANT}/tenant-status": {"config_error_count": 0},
        f"zuul/api/tenant/{TENANT}/labels": [{"name": LABEL}],
        f"zuul/api/tenant/{TENANT}/images": [{"name": IMAGE, "build_artifacts": [{**artifact, "uploads": uploads}]}],
        "nodepool/label-list": [{"label": LABEL}],
        "nodepool/dib-image-list": [
            {"id": f"{IMAGE}-0000000002", "image": IMAGE, "state": "ready", "age": 1_700_000_000}
        ],
        "nodepool/image-list": [{**upload, "external_id": IDENTITY, "state": "ready", "age": 1_700_000_100}],
        "nodepool/image-status": [{"image": IMAGE, "paused": False}],
        "nodepool/node-list": [{"label": [LABEL], "state": "ready"}],
    }
    for name, content in pages.items():
        _write(folder / name, json.dumps(content).encode())
    _write(folder / "nodepool/ready", b"OK")
    _write(folder / "gerrit/version", b')]}\'\n"3.11.2"\n')
    _write(folder / "gerrit/branches", BRANCHES.encode())
    _write(folder / "probe/job-output.txt.gz", gzip.compress(RECAP.encode()))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

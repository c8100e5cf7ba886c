"""Site files for tests: an example with something in every section, and the real hook of airgap-site to read one.

root = fake_root("container-registries")          # its element-deps name airgap-site
site = bake_site(root, {**SITE, "registries": []})  # runs root.d/02-airgap-site; what site.json holds
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.elements.fakeroot import FakeRoot, Run

SITE_HOOK = "root.d/02-airgap-site"
SITE: dict[str, Any] = {
    "version": 1,
    "mirrors": {
        "apt": [
            {"uri": "https://mirror.internal/debian"},
            {"uri": "https://mirror.internal/debian-security", "suites": ["{release}-security"]},
        ],
        "dnf": [
            {
                "id": "baseos",
                "baseurl": "https://mirror.internal/rocky/$releasever/BaseOS/$basearch/os/",
                "gpgkey": "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9",
            }
        ],
        "zypper": [
            {
                "id": "oss",
                "baseurl": "https://mirror.internal/leap/$releasever/oss/",
                "gpgkey": "https://mirror.internal/leap/key.asc",
            }
        ],
        "pip": {"index_url": "https://mirror.internal/pypi/simple"},
        "npm": {"registry": "https://mirror.internal/npm/"},
    },
    "registries": [{"prefix": "registry.internal:5000", "mirrors": ["cache.internal:5000"]}],
    "search_registries": ["registry.internal:5000"],
    "egress": {
        "dns": ["10.0.0.53"],
        "allow": [{"host": "git.internal"}, {"cidr": "10.20.0.0/16", "ports": [22, 443], "protocol": "tcp"}],
    },
}


def write_site(folder: Path, site: Mapping[str, Any] | str | None) -> dict[str, str]:
    """Write a site file (a mapping, or YAML text as it is) into ``folder``; return the variable that names it.

    None stands for a build without a site file.
    """
    if site is None:
        return {"DIB_AIRGAP_SITE": ""}
    path = folder / "site.yaml"
    path.write_text(site if isinstance(site, str) else yaml.safe_dump(dict(site), sort_keys=False))
    return {"DIB_AIRGAP_SITE": str(path)}


def read_site(root: FakeRoot, site: Mapping[str, Any] | str | None, env: Mapping[str, str] | None = None) -> Run:
    """Run the real hook on a site file in a root whose element depends on airgap-site, and return how that went."""
    return root.run_outside(SITE_HOOK, {**write_site(root.base, site), **(env or {})})


def bake_site(root: FakeRoot, site: Mapping[str, Any] | str | None = None) -> dict[str, Any]:
    """Run the real hook on a site file that must be good; return what it wrote to ``airgap-site/site.json``."""
    run = read_site(root, site)
    assert run.ok, run.log
    loaded: dict[str, Any] = json.loads((root.hooks / "airgap-site/site.json").read_text())
    return loaded

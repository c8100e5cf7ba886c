"""What the tests of the element trusted-ca-bundle share: its hooks, where each family keeps its store, and a build."""

from pathlib import Path

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.elements.pki import Issued

ELEMENT = "trusted-ca-bundle"
CHECK = "root.d/01-trusted-ca-bundle-check"
ANCHORS = "root.d/20-trusted-ca-bundle-anchors"
STORE = "pre-install.d/02-trusted-ca-bundle"
VERIFY = "finalise.d/90-trusted-ca-bundle-verify"

FOLDER = {
    "debian": "/usr/local/share/ca-certificates",
    "ubuntu": "/usr/local/share/ca-certificates",
    "redhat": "/etc/pki/ca-trust/source/anchors",
    "suse": "/etc/pki/trust/anchors",
}
BUNDLE = {
    "debian": "/etc/ssl/certs/ca-certificates.crt",
    "ubuntu": "/etc/ssl/certs/ca-certificates.crt",
    "redhat": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "suse": "/var/lib/ca-certificates/ca-bundle.pem",
}
# Debian has neither tool, but the program that both of them call for the work: p11-kit's trust.
EXTRACT = (
    "mkdir -p {folder}\ntrust extract --format=pem-bundle --filter=ca-anchors --purpose=server-auth --overwrite {to}"
)
P11_KIT_TOOL = {"redhat": "/usr/bin/update-ca-trust", "suse": "/usr/sbin/update-ca-certificates"}


def root_with_tools(fake_root: MakeRoot, family: str) -> FakeRoot:
    """Make a root whose family's tool works: Debian's own, or what the others' tools do."""
    root = fake_root(ELEMENT, family)
    if family in P11_KIT_TOOL:
        source, bundle = str(Path(FOLDER[family]).parent), BUNDLE[family]
        root.write(
            "/etc/pkcs11/modules/p11-kit-trust.module",
            f"module: p11-kit-trust.so\ntrust-policy: yes\nx-init-reserved: paths='{source}'\n",
        )
        script = EXTRACT.format(folder=Path(bundle).parent, to=bundle)
        root.write(P11_KIT_TOOL[family], f"#!/bin/bash\nset -e\n{script}\n", 0o755)
    return root


def bundle_env(*files: Path) -> dict[str, str]:
    """The element's variable for these files."""
    return {"DIB_TRUSTED_CA_BUNDLE": ":".join(map(str, files))}


def bake(root: FakeRoot, *files: Path) -> None:
    """Run the element's hooks as a build does."""
    for run, hook in ((root.run_outside, CHECK), (root.run_outside, ANCHORS), (root.run_inside, STORE)):
        finished = run(hook, bundle_env(*files))
        assert finished.ok, finished.log


def anchors(root: FakeRoot, family: str = "debian") -> list[str]:
    """Names of the anchor files in a root."""
    return names(root.path / FOLDER[family].lstrip("/"))


def names(folder: Path) -> list[str]:
    """Names of what a folder holds, sorted."""
    return sorted(path.name for path in folder.iterdir())


def anchor_name(slug: str, issued: Issued) -> str:
    """The file name an anchor has to get."""
    return f"{slug}-{issued.sha256[:16]}.crt"


def save(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path

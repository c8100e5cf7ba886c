"""image-provenance: what it says, where it says it, and what it must never say."""

import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import DIB_ELEMENTS, FakeRoot
from tests.elements.pki import Issued

ELEMENT = "image-provenance"
HOOK = "cleanup.d/95-image-provenance"
IN_IMAGE = "/etc/image-provenance.json"
STATUS = """\
Package: zsh
Status: install ok installed
Version: 5.9-4
Architecture: amd64

Package: adduser
Status: install ok installed
Version: 3.134
Architecture: all

Package: gone
Status: deinstall ok config-files
Version: 1.0
Architecture: amd64

"""


def run_hook(root: FakeRoot, **env: str) -> dict[str, Any]:
    """Run the hook and return what it wrote into the image, having checked that the copy beside it is the same."""
    beside = root.base / "image/node.d"
    defaults = {"DISTRO_NAME": "debian", "DIB_MANIFEST_SAVE_DIR": str(beside), "SOURCE_DATE_EPOCH": "1700000000"}
    run = root.run_outside(HOOK, defaults | env)
    assert run.ok, run.output
    text = root.read(IN_IMAGE)
    assert (beside / "image-provenance.json").read_text() == text
    result: dict[str, Any] = json.loads(text)
    return result


@pytest.fixture
def root(fake_root: MakeRoot) -> FakeRoot:
    made = fake_root(ELEMENT)
    made.write("/var/lib/dpkg/status", STATUS)
    return made


def make_element(folder: Path) -> Path:
    (folder / "install.d").mkdir(parents=True)
    (folder / "install.d/50-x").write_text("#!/bin/bash\n")
    (folder / "install.d/50-x").chmod(0o755)
    (folder / "README.rst").write_text("x\n")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.internal"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def elements_of(root: FakeRoot, **paths: Path) -> list[dict[str, Any]]:
    chosen = yaml.safe_dump({name: str(path) for name, path in paths.items()})
    found: list[dict[str, Any]] = run_hook(root, IMAGE_ELEMENT_YAML=chosen)["elements"]
    return found


def test_the_image_is_named_by_its_inputs(root: FakeRoot) -> None:
    result = run_hook(root)
    assert result["schema_version"] == 1
    assert (result["distribution"], result["release"], result["architecture"]) == ("debian", "bookworm", "amd64")
    assert result["source_date_epoch"] == 1_700_000_000


def test_everybody_may_read_it(root: FakeRoot) -> None:
    run_hook(root)
    assert root.mode(IN_IMAGE) == 0o644


def test_a_build_without_a_date_says_so(root: FakeRoot) -> None:
    assert run_hook(root, SOURCE_DATE_EPOCH="")["source_date_epoch"] is None


def test_packages_are_those_that_are_installed_in_order(root: FakeRoot) -> None:
    assert run_hook(root)["packages"] == [
        {"name": "adduser", "version": "3.134", "architecture": "all"},
        {"name": "zsh", "version": "5.9-4", "architecture": "amd64"},
    ]


def test_rpm_is_asked_where_there_is_no_dpkg(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT, "redhat")
    root.write("/usr/bin/rpm", "#!/bin/sh\nprintf 'installed\\tbash\\t5.1.8-9.el9\\tx86_64\\n'\n", 0o755)
    result = run_hook(root, DISTRO_NAME="centos")
    assert result["packages"] == [{"name": "bash", "version": "5.1.8-9.el9", "architecture": "x86_64"}]


def test_no_packages_is_an_error(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    root.write("/var/lib/dpkg/status", "")
    run = root.run_outside(HOOK, {"DISTRO_NAME": "debian", "DIB_MANIFEST_SAVE_DIR": str(root.base / "image/x")})
    assert run.status == 1
    assert "ERROR: image-provenance: the package manager of the image lists no package" in run.output


def test_the_builders_are_named_with_their_versions(root: FakeRoot) -> None:
    assert run_hook(root, DIB_PYTHON_EXEC=sys.executable)["tools"] == {
        "airgap-image-factory": metadata.version("airgap-image-factory"),
        "diskimage-builder": metadata.version("diskimage-builder"),
    }


def test_all_elements_are_listed_dependencies_too(root: FakeRoot) -> None:
    names = [entry["name"] for entry in run_hook(root)["elements"]]
    assert names == sorted(root.elements)
    assert {"image-provenance", "manifests", "debootstrap"} <= set(names)


def test_an_element_under_version_control_has_its_commit(root: FakeRoot, tmp_path: Path) -> None:
    element = make_element(tmp_path / "checkout/elements/one")
    git(tmp_path / "checkout", "init", "-q")
    git(tmp_path / "checkout", "add", ".")
    git(tmp_path / "checkout", "commit", "-qm", "x")
    (found,) = elements_of(root, one=element)
    assert found["git_commit"] == git(element, "rev-parse", "HEAD")
    assert found["git_modified"] is False


@pytest.mark.parametrize("name", ["README.rst", "install.d/60-new"])
def test_a_changed_or_new_file_counts_as_modified(root: FakeRoot, tmp_path: Path, name: str) -> None:
    element = make_element(tmp_path / "checkout/elements/one")
    git(tmp_path / "checkout", "init", "-q")
    git(tmp_path / "checkout", "add", ".")
    git(tmp_path / "checkout", "commit", "-qm", "x")
    (element / name).write_text("changed\n")
    (found,) = elements_of(root, one=element)
    assert found["git_modified"] is True


def test_an_element_that_lies_in_a_checkout_by_chance_has_no_commit(root: FakeRoot, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("venv\n")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "-qm", "x")
    (found,) = elements_of(root, one=make_element(tmp_path / "venv/one"))
    assert (found["git_commit"], found["git_modified"]) == (None, None)


def test_the_digest_is_the_documented_one(root: FakeRoot, tmp_path: Path) -> None:
    (found,) = elements_of(root, one=make_element(tmp_path / "one"))
    lines = [("x\n", "-", "README.rst"), ("#!/bin/bash\n", "x", "install.d/50-x")]
    text = "".join(f"{hashlib.sha256(content.encode()).hexdigest()} {mode} {name}\n" for content, mode, name in lines)
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_does_not_depend_on_place_dates_and_caches(root: FakeRoot, tmp_path: Path) -> None:
    one, other = make_element(tmp_path / "one"), make_element(tmp_path / "far/away")
    (other / "__pycache__").mkdir()
    (other / "__pycache__/x.pyc").write_bytes(b"x")
    found = elements_of(root, one=one, other=other)
    assert found[0]["sha256"] == found[1]["sha256"]


def test_the_digest_depends_on_the_run_bit(root: FakeRoot, tmp_path: Path) -> None:
    one, other = make_element(tmp_path / "one"), make_element(tmp_path / "other")
    (other / "install.d/50-x").chmod(0o644)
    found = elements_of(root, one=one, other=other)
    assert found[0]["sha256"] != found[1]["sha256"]


def test_mirrors_are_named_without_secrets(root: FakeRoot) -> None:
    result = run_hook(
        root,
        DIB_DISTRIBUTION_MIRROR="https://user:hunter2@mirror.internal:8443/debian?token=hunter3#hunter4",
        DIB_PYPI_MIRROR_URL="https://mirror.internal/pypi/simple",
        DIB_LOCAL_MIRROR="file:///home/builder/mirror",
        DIB_DEBIAN_USE_SECURITY_MIRROR="1",
        DIB_EXAMPLE_PASSWORD="hunter5",
    )
    assert result["mirrors"] == {
        "DIB_DISTRIBUTION_MIRROR": "https://mirror.internal:8443/debian",
        "DIB_PYPI_MIRROR_URL": "https://mirror.internal/pypi/simple",
    }
    assert "hunter" not in root.read(IN_IMAGE)


def test_nothing_names_the_build_host(root: FakeRoot) -> None:
    run_hook(root, HOSTNAME="builder-7", USER="builder")
    text = root.read(IN_IMAGE)
    for secret in (str(root.base), str(DIB_ELEMENTS), "builder-7", '"fake"', "/tmp"):
        assert secret not in text


def test_authorities_are_named_by_fingerprint(root: FakeRoot, ca: Issued) -> None:
    anchors = root.hooks / "trusted-ca-bundle/anchors"
    anchors.mkdir(parents=True)
    (anchors / "ca.crt").write_bytes(ca.cert_pem)
    assert run_hook(root)["trusted_ca_sha256"] == [ca.sha256]


def test_a_link_in_the_image_does_not_lead_out_of_it(root: FakeRoot, tmp_path: Path) -> None:
    (tmp_path / "host-file").write_text("host")
    (root.path / "etc/image-provenance.json").symlink_to(tmp_path / "host-file")
    run_hook(root)
    assert (tmp_path / "host-file").read_text() == "host"
    assert not (root.path / "etc/image-provenance.json").is_symlink()


def test_two_builds_say_the_same(fake_root: MakeRoot) -> None:
    texts = []
    for _ in range(2):
        root = fake_root(ELEMENT)
        root.write("/var/lib/dpkg/status", STATUS)
        run_hook(root, IMAGE_NAME=str(root.base / "image"))
        texts.append(root.read(IN_IMAGE))
    assert texts[0] == texts[1]

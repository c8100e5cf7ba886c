"""The line Storage for RPM repositories that createrepo_c made: once green, and once red for each way to fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import make_ca, make_server
from tests.functional.readiness_lab import Outcome, nginx, presenting, readiness
from tests.functional.rpm_repository import REPOMD, build, index

APPS = {
    "podman-5.0-1": [
        "Requires: conmon >= 2.1",
        "Requires: (crun or runc)",
        "Requires: (container-selinux if selinux-policy)",
        "Requires: (absent-policy if absent)",
        "Requires: /usr/bin/bash",
        "Requires: libseccomp.so.2()(64bit)",
    ],
    "conmon-2.0-1": [],
    "conmon-2.1-1": ["Requires: glibc"],
    "runc-1.1-1": [],
    "container-selinux-2-1": [],
    "broken-1-1": ["Requires: nobody-has-this", "Requires: (nor-this or that)"],
    "tool-1-1": ["Requires: /usr/libexec/glibc"],
    "lost-1-1": ["Requires: /usr/libexec/nowhere"],
    "unused-9-1": [],
}
BASE = {"bash-5-1": ["Requires: glibc"], "libseccomp-2-1": ["Provides: libseccomp.so.2()(64bit)"], "glibc-2.34-1": []}
WANTED = ("podman-5.0-1", "conmon-2.1-1", "runc-1.1-1", "container-selinux-2-1", "bash-5-1", "libseccomp-2-1")
ROOM = {"path": "/tmp"}


@dataclass(frozen=True)
class Lab:
    """A mirror with the repositories ``apps`` and ``base``; ``sizes`` of their packages by ``NAME-VERSION-RELEASE``."""

    folder: Path
    mirror: str
    sizes: dict[str, int]
    foreign: int

    def index(self, repository: str) -> str:
        return f"{self.mirror}/{repository}/{REPOMD}"

    def check(self, folder: Path, *sources: dict[str, Any], quota: int | None = None) -> Outcome:
        storage = {"packages": list(sources), "factor": 1}
        storage["mirrors"] = [ROOM if quota is None else {"quota": f"{quota} B"}]
        return readiness(folder, storage=storage, certificates={"bundle": str(self.folder / "root.pem")})

    def takes(self, folder: Path, source: dict[str, Any], size: int) -> None:
        """The packages of ``source`` take so many bytes, and not one less."""
        assert self.check(folder, source, quota=size).bad() == {}
        assert set(self.check(folder, source, quota=size - 1).bad()) == {"storage-room"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("rpm")
    root = make_ca("Mirror root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    two = {"conmon-2.0-1"}  # of one name there is one in a spec file
    sizes = build(folder / "apps", {name: lines for name, lines in APPS.items() if name not in two})
    sizes |= build(folder / "apps/older", {name: APPS[name] for name in two})
    sizes |= build(folder / "base", BASE)
    foreign = build(folder / "base", {"glibc-2.34-1": []}, "i686")["glibc-2.34-1"]
    for name, compression in (("apps", "xz"), ("base", "gz")):
        index(folder / name, compression)
    with nginx(folder, {"mirror": presenting(make_server(root, ["127.0.0.1"]), settings=SERVED)}) as ports:
        yield Lab(folder, f"https://127.0.0.1:{ports['mirror']}", sizes, foreign)


SERVED = "location /apps/ { } location /base/ { } location /bad/ { }"


def test_packages_with_what_they_depend_on_in_two_repositories(lab: Lab, tmp_path: Path) -> None:
    source = {"index": lab.index("apps"), "also": [lab.index("base")], "packages": ["podman"]}
    # There is no selinux-policy, so nothing asks for container-selinux; it counts, because it is there.
    wanted = sum(lab.sizes[name] for name in (*WANTED, "glibc-2.34-1"))
    lab.takes(tmp_path, source, wanted)
    (found,) = lab.check(tmp_path, source).of("storage-packages")
    assert found[2].startswith("7 packages, ")


def test_a_whole_repository(lab: Lab, tmp_path: Path) -> None:
    lab.takes(tmp_path, {"index": lab.index("apps")}, sum(lab.sizes[name] for name in APPS))
    # The file itself, without a server; it lists glibc for two architectures.
    lab.takes(tmp_path, {"index": f"{lab.folder}/base/{REPOMD}"}, sum(lab.sizes[name] for name in BASE) + lab.foreign)


@pytest.mark.parametrize("compression", ["", "zst"])
def test_other_ways_to_compress(lab: Lab, tmp_path: Path, compression: str) -> None:
    size = build(tmp_path / "one", {"one-1-1": []})["one-1-1"]
    index(tmp_path / "one", compression)
    lab.takes(tmp_path, {"index": f"one/{REPOMD}", "packages": ["one"]}, size)


def test_what_is_missing_is_told(lab: Lab, tmp_path: Path) -> None:
    alone = {"index": lab.index("apps"), "packages": ["podman", "podmam"]}
    both = {"index": lab.index("apps"), "also": [lab.index("base")], "packages": ["broken"]}
    lost = {"index": lab.index("apps"), "packages": ["lost"]}
    outcome = lab.check(tmp_path, alone, both, lost)
    found = outcome.of("storage-packages")
    assert [status for _, status, _ in found] == ["fail"] * 3
    assert found[0][2] == (
        "the index has no podmam; nothing in the index satisfies podman: /usr/bin/bash;"
        " podman: libseccomp.so.2()(64bit); conmon: glibc"
    )
    assert found[1][2] == ("nothing in the index satisfies broken: nor-this | that; broken: nobody-has-this")
    assert found[2][2] == "nothing in the index satisfies lost: /usr/libexec/nowhere"


def test_files_that_only_the_lists_of_files_tell(lab: Lab, tmp_path: Path) -> None:
    source = {"index": lab.index("apps"), "also": [lab.index("base")], "packages": ["tool"]}
    lab.takes(tmp_path, source, lab.sizes["tool-1-1"] + lab.sizes["glibc-2.34-1"])


def test_an_index_that_is_not_what_repomd_says_is_no_index(lab: Lab, tmp_path: Path) -> None:
    bad = lab.folder / "bad"
    for name in ("changed", "gone", "outside", "entities"):
        build(bad / name, {"one-1-1": []})
        index(bad / name, "gz")
    (primary,) = (bad / "changed/repodata").glob("*-primary.xml.gz")
    primary.write_bytes(primary.read_bytes()[:-1] + b"\1")
    next((bad / "gone/repodata").glob("*-primary.xml.gz")).unlink()
    repomd = bad / "outside" / REPOMD
    repomd.write_text(repomd.read_text().replace('href="repodata/', 'href="../gone/repodata/'))
    repomd = bad / "entities" / REPOMD
    declared = '<!DOCTYPE repomd [<!ENTITY secret SYSTEM "file:///etc/passwd">]>\n<repomd'
    repomd.write_text(repomd.read_text().replace("<repomd", declared))
    sources = [{"index": lab.index(f"bad/{name}")} for name in ("changed", "gone", "outside", "entities", "nothing")]
    outcome = lab.check(tmp_path, {"index": lab.index("apps")}, *sources)
    found = outcome.of("storage-packages")
    assert [status for _, status, _ in found] == ["pass", *["error"] * 5]
    said = [message for _, _, message in found[1:]]
    assert "has not the sha256 that repomd.xml lists: " in said[0]
    assert said[1].endswith("-primary.xml.gz: HTTP status 404")
    assert said[2].endswith("repomd.xml: it tells no place of 'primary' within the repository")
    assert said[3].endswith("repomd.xml: XML with a document type, which could define entities, is not read")
    assert said[4].endswith(f"nothing/{REPOMD}: HTTP status 404")
    assert outcome.status == 3

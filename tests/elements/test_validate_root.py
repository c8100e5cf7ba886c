"""validate-root: it judges what the image is going to be, changes nothing, and ends the build if that does not pass."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot, Run
from tests.elements.pki import Issued
from tests.support.elf_files import make_elf

ELEMENT = "validate-root"
CHECK = "root.d/00-validate-root-check"
HOOK = "cleanup.d/99-zz-validate-root"
PROGRAM = Path(sys.executable).with_name("diskimage-validator")
POLICY = """\
version: 1
name: test
os:
  any: [{id: debian}]
hygiene:
  resolv_conf: true
  leftovers: true
  max_log_size: 1 KiB
files:
  absent: [/dev/null, /proc/1, /tmp/of-the-build, /root/install.log, /etc/resolv.conf.ORIG]
"""


@pytest.fixture
def root(fake_root: MakeRoot) -> FakeRoot:
    """Return a root as it is after the last hook: with what diskimage-builder has yet to take away."""
    made = fake_root(ELEMENT)
    made.write("/usr/sbin/init", make_elf(), 0o755)
    made.write("/etc/resolv.conf", "nameserver 192.0.2.1\n", 0o777)
    made.write("/etc/resolv.conf.ORIG", "# The node writes its own.\n")
    made.write("/var/log/bootstrap.log", "what the build said\n" * 100)
    made.write("/root/install.log", "what the build said\n" * 100)
    made.write("/tmp/of-the-build", "")
    return made


def env(root: FakeRoot, policy: str = POLICY, **variables: str) -> dict[str, str]:
    file = root.base / "policy.yaml"
    file.write_text(policy)
    beside = str(root.base / "image/node.d")
    defaults = {
        "DISTRO_NAME": "debian",
        "DIB_MANIFEST_SAVE_DIR": beside,
        "DIB_VALIDATE_ROOT_COMMAND": str(PROGRAM),
        "DIB_VALIDATE_ROOT_POLICY": str(file),
    }
    return defaults | variables


def report_of(root: FakeRoot) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root.base / "image/node.d/root-report.json").read_text())
    return found


def failures(root: FakeRoot) -> list[tuple[str, str]]:
    return [(one["check"], one["subject"]) for one in report_of(root)["results"] if one["status"] in ("fail", "error")]


class TestCheck:
    def test_a_sound_configuration_is_accepted(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, env(root))
        assert run.ok, run.output
        assert "policy test is in order" in run.output

    def test_a_shipped_policy_needs_no_file(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, env(root) | {"DIB_VALIDATE_ROOT_POLICY": "minimal"})
        assert run.ok, run.output

    def test_a_host_without_the_validator(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, env(root, DIB_VALIDATE_ROOT_COMMAND="no-such-validator"))
        assert not run.ok
        assert "ERROR: validate-root: 'no-such-validator' is not on the build host's PATH: install" in run.output

    @pytest.mark.parametrize("policy", ["version: 1\nname: test\noss: {}\n", "{"])
    def test_a_policy_that_cannot_be_used(self, root: FakeRoot, policy: str) -> None:
        run = root.run_outside(CHECK, env(root, policy))
        assert not run.ok
        assert "ERROR: validate-root: DIB_VALIDATE_ROOT_POLICY: " in run.output
        assert "policy.yaml" in run.output

    def test_a_threshold_that_is_none(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, env(root, DIB_VALIDATE_ROOT_THRESHOLD="low"))
        assert not run.ok
        assert "DIB_VALIDATE_ROOT_THRESHOLD is 'low'" in run.output

    def test_a_ca_that_is_not_there(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, env(root, DIB_VALIDATE_ROOT_CA=f"{root.base}/policy.yaml:/no/such/ca.pem"))
        assert not run.ok
        assert "DIB_VALIDATE_ROOT_CA: '/no/such/ca.pem' cannot be read" in run.output


def validated(root: FakeRoot, policy: str = POLICY, **variables: str) -> Run:
    """Run the hook; fail if it changed the root or left anything mounted or lying about."""
    before = root.tree()
    run = root.run_outside(HOOK, env(root, policy, **variables))
    assert root.tree() == before
    assert list(root.base.glob("tmp.*")) == []
    assert run.left_mounted == ()
    assert root.exists("/tmp/of-the-build")
    return run


class TestVerdict:
    def test_the_root_is_judged_as_diskimage_builder_will_leave_it(self, root: FakeRoot) -> None:
        run = validated(root)
        assert run.ok, run.output
        assert "PASSED" in run.output
        report = report_of(root)
        assert (report["engine"], report["policy"]["name"]) == ("directory", "test")
        assert report["target"]["name"] == "root of fake"
        assert (root.base / "image/node.d/root-junit.xml").read_text().startswith("<?xml")
        assert failures(root) == []

    def test_a_bad_root_ends_the_build_and_the_log_says_why(self, root: FakeRoot) -> None:
        root.write("/etc/resolv.conf.ORIG", "nameserver 192.0.2.1\n")
        run = validated(root)
        assert not run.ok
        assert failures(root) == [("hygiene-resolv-conf", "192.0.2.1")]
        assert "FAIL    192.0.2.1" in run.output
        assert "ERROR: validate-root: the root does not pass the policy" in run.output
        assert "(exit status 1)" in run.output

    def test_the_mode_of_the_root_itself_is_seen(self, root: FakeRoot) -> None:
        root.path.chmod(0o777)
        policy = POLICY + "  required: [{path: /, mode: '0755'}]\n"
        assert not validated(root, policy).ok
        assert failures(root) == [("files", "/")]

    def test_a_threshold_lets_less_pass(self, root: FakeRoot) -> None:
        root.write("/etc/resolv.conf.ORIG", "nameserver 192.0.2.1\n")
        assert validated(root, DIB_VALIDATE_ROOT_THRESHOLD="critical").ok

    def test_cas_have_to_be_trusted(self, root: FakeRoot, ca: Issued) -> None:
        file = root.base / "image/ca.pem"
        file.write_bytes(ca.cert_pem)
        assert not validated(root, DIB_TRUSTED_CA_BUNDLE=str(file)).ok
        assert [check for check, _ in failures(root)] == ["ca-trusted"]

    def test_a_system_that_cannot_be_read_does_not_pass(self, root: FakeRoot) -> None:
        (root.path / "etc/os-release").unlink()
        run = validated(root, DIB_VALIDATE_ROOT_THRESHOLD="critical")
        assert not run.ok
        assert "(exit status 3)" in run.output

    def test_what_an_element_shields_stays_as_it_is(self, root: FakeRoot) -> None:
        """reproducible-image put resolv.conf back itself; what diskimage-builder does then happens to an overlay."""
        (root.path / "etc/resolv.conf.ORIG").rename(root.path / "etc/resolv.conf")
        (root.path / "var/log/bootstrap.log").write_text("")
        for name in ("tmp/of-the-build", "root/install.log"):
            (root.path / name).unlink()
        shield = f"mount -t tmpfs shield {root.path}/etc && touch {root.path}/etc/resolv.conf"
        root.add_hook("cleanup.d/99-aa-shield", shield)
        root.add_hook("cleanup.d/99-zz-validate-root-after", f"umount {root.path}/etc")
        policy = POLICY + "  required: [{path: /etc/resolv.conf}]\n"
        run = root.run_outside(HOOK, env(root, policy, RUN_PARTS_REGEX="^99-"))
        assert run.ok, run.log
        assert "PASSED" in run.log


def test_further_file_systems_of_the_image_are_seen(root: FakeRoot, tmp_path: Path) -> None:
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / "vmlinuz-6.1.0").write_text("kernel")
    (root.path / "boot").mkdir()
    root.add_hook("cleanup.d/99-aa-boot", f"mount --bind {boot} {root.path}/boot")
    root.add_hook("cleanup.d/99-zz-validate-root-after", f"umount {root.path}/boot")
    policy = POLICY + "  required: [{path: /boot/vmlinuz-6.1.0}]\n"
    variables = {"RUN_PARTS_REGEX": "^99-", "DIB_MOUNTPOINTS": "none|/boot|/"}
    run = root.run_outside(HOOK, env(root, policy, **variables))
    assert run.ok, run.log
    shutil.rmtree(root.base / "image/node.d")
    shutil.rmtree(root.hooks / "validate-root/reports")
    assert not root.run_outside(HOOK, env(root, policy)).ok

"""The key of a run on the overlay of an image, in one appliance: a new file in a new folder, and one that is there."""

import os
import subprocess
from pathlib import Path

from diskimage_validator import open_target
from diskimage_validator.engines.boot.overlay_key import KEYS_LABEL, LABEL, OverlayWriter
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.image_file import examine
from diskimage_validator.login import Login
from tests.functional.test_engine_boot import digest
from tests.support import disks, images

PUBLIC = "ssh-ed25519 AAAA diskimage-validator"
SIZE = 32 * disks.MIB


def test_the_key_is_written_as_sshd_wants_it_and_not_into_the_image(tmp_path: Path) -> None:
    tree = disks.tree(tmp_path / "tree", {"/etc/os-release": images.OS_RELEASE, "/root/.ssh/keys": "ssh-rsa AAAA"})
    (tree / "home/zuul").mkdir(parents=True)
    os.setxattr(tree / "etc", LABEL, b"system_u:object_r:etc_t:s0")
    image = disks.empty(tmp_path / "node.raw", SIZE)
    disks.ext(image, tree, SIZE)
    before = digest(image)
    checked = examine(image, image_format="raw")
    overlay = Overlay(checked)
    copy = tmp_path / "copy.raw"
    try:
        with OverlayWriter(checked, overlay) as writer:
            writer._write(Login("root", "overlay", "/root/.ssh/keys", exists=True), PUBLIC)
            new = Login("zuul", "overlay", "/home/zuul/.ssh/keys", 1000, 1000, folders=("/home/zuul/.ssh",))
            writer.add_key(new, PUBLIC)
        assert overlay.path.exists()
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(overlay.path), str(copy)], check=True)
    finally:
        overlay.close()
    assert digest(image) == before
    with open_target(str(copy), engine="direct", image_format="raw") as written:
        assert written.read("/root/.ssh/keys").decode() == f"ssh-rsa AAAA\n{PUBLIC}\n"
        assert written.read("/home/zuul/.ssh/keys").decode() == f"{PUBLIC}\n"
        for path, mode in (("/home/zuul/.ssh", 0o40700), ("/home/zuul/.ssh/keys", 0o100600)):
            entry = written.lstat(path)
            assert entry is not None
            assert (entry.mode, entry.uid, entry.gid) == (mode, 1000, 1000)
    for path in ("/home/zuul/.ssh", "/home/zuul/.ssh/keys"):
        assert KEYS_LABEL in disks.run("debugfs", "-R", f"ea_get {path} {LABEL}", copy)
    assert KEYS_LABEL not in disks.run("debugfs", "-R", f"ea_get /root/.ssh/keys {LABEL}", copy)

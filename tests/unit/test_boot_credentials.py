import base64
import json
import stat
import subprocess
from pathlib import Path

import paramiko
import pytest

from diskimage_validator.engines.boot.config_drive import MAC, make_config_drive
from diskimage_validator.engines.boot.credentials import make_key, smbios_strings, tmpfiles_lines
from diskimage_validator.login import Login

ZUUL = Login("zuul", "credential", "/home/zuul/.ssh/authorized_keys", 1000, 1000)


def apply(tree: Path, lines: str) -> None:
    """Let the real systemd-tmpfiles do what ``lines`` say in ``tree``."""
    configuration = tree.parent / "lines.conf"
    configuration.write_text(lines)
    command = ["systemd-tmpfiles", "--create", f"--root={tree}", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_key_is_private_and_opens_what_its_public_half_closes(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    assert stat.S_IMODE(key.private.stat().st_mode) == 0o600
    assert key.public.startswith("ssh-ed25519 AAAA")
    assert paramiko.Ed25519Key.from_private_key_file(str(key.private)).get_base64() == key.public.split()[1]
    (tmp_path / "other").mkdir()
    assert make_key(tmp_path / "other").public != key.public


def test_a_new_file_holds_the_key_and_belongs_to_the_user(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "home/zuul").mkdir(parents=True)
    apply(tree, tmpfiles_lines(Login(**{**ZUUL.__dict__, "folders": ("/home/zuul/.ssh",)}), "ssh-ed25519 AAAA= me"))
    made = tree / "home/zuul/.ssh/authorized_keys"
    assert made.read_text() == "ssh-ed25519 AAAA= me\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert (made.stat().st_uid, made.parent.stat().st_uid) == (1000, 1000)


@pytest.mark.parametrize("before", ["ssh-ed25519 BBBB other\n", "ssh-ed25519 BBBB other"])
def test_a_file_that_is_there_keeps_its_keys(tmp_path: Path, before: str) -> None:
    tree = tmp_path / "tree"
    made = tree / "home/zuul/.ssh/authorized_keys"
    made.parent.mkdir(parents=True)
    made.write_text(before)
    apply(tree, tmpfiles_lines(Login(**{**ZUUL.__dict__, "exists": True}), "ssh-ed25519 AAAA= me"))
    assert [line for line in made.read_text().splitlines() if line] == [
        "ssh-ed25519 BBBB other",
        "ssh-ed25519 AAAA= me",
    ]


@pytest.mark.parametrize("name", ["with space", "per%cent", 'quo"te', "back\\slash", "%h"])
def test_odd_paths_are_paths(tmp_path: Path, name: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    login = Login("x", "credential", f"/keys/{name}/file", 0, 0, 0o644, folders=("/keys", f"/keys/{name}"))
    apply(tree, tmpfiles_lines(login, "ssh-ed25519 AAAA= me"))
    made = tree / "keys" / name / "file"
    assert made.read_text() == "ssh-ed25519 AAAA= me\n"
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o755


def test_smbios_strings_carry_any_text_without_a_comma() -> None:
    (text,) = smbios_strings({"tmpfiles.extra": "a, b\nc\n"})
    prefix, _, value = text.partition("=")
    assert prefix == "io.systemd.credential.binary:tmpfiles.extra"
    assert base64.b64decode(value) == b"a, b\nc\n"
    assert "," not in text


def test_a_config_drive_is_what_nova_makes(tmp_path: Path) -> None:
    iso = make_config_drive(tmp_path, "ssh-ed25519 AAAA= me")
    label = subprocess.run(
        ["blkid", "-p", "-s", "LABEL", "-o", "value", iso], capture_output=True, text=True, check=True
    )
    assert label.stdout == "config-2\n"
    out = tmp_path / "out"
    command = ["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", "/openstack/latest", str(out)]
    subprocess.run(command, capture_output=True, check=True)
    metadata = json.loads((out / "meta_data.json").read_text())
    assert list(metadata["public_keys"].values()) == ["ssh-ed25519 AAAA= me"]
    network = json.loads((out / "network_data.json").read_text())
    assert network["links"][0]["ethernet_mac_address"] == MAC


def test_a_config_drive_without_a_key_has_none(tmp_path: Path) -> None:
    make_config_drive(tmp_path)
    assert "public_keys" not in json.loads((tmp_path / "config/openstack/latest/meta_data.json").read_text())

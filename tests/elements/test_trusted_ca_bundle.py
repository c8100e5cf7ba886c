"""What the element trusted-ca-bundle bakes, with the tools of the distributions, and when the CAs are trusted."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.elements.ca_bundle import (
    ANCHORS,
    BUNDLE,
    CHECK,
    ELEMENT,
    FOLDER,
    STORE,
    VERIFY,
    anchor_name,
    anchors,
    bake,
    bundle_env,
    root_with_tools,
    save,
)
from tests.elements.conftest import MakeRoot
from tests.elements.pki import Issued, make_ca, make_server


@pytest.mark.parametrize("family", FOLDER)
def test_two_cas_with_one_subject_are_both_trusted(fake_root: MakeRoot, tmp_path: Path, family: str) -> None:
    old, new = make_ca("Rollover CA"), make_ca("Rollover CA")
    root = root_with_tools(fake_root, family)
    bake(root, save(tmp_path / "ca.pem", old.cert_pem + new.cert_pem))
    bundle = root.read(BUNDLE[family])
    assert old.cert_pem.decode() in bundle
    assert new.cert_pem.decode() in bundle


@pytest.mark.parametrize("family", FOLDER)
def test_anchor_has_a_stable_name_and_is_readable_by_all(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued, family: str
) -> None:
    root = root_with_tools(fake_root, family)
    bake(root, save(tmp_path / "ca.pem", ca.cert_pem))
    name = anchor_name("internal-root-ca", ca)
    assert anchors(root, family) == [name]
    assert root.mode(f"{FOLDER[family]}/{name}") == 0o644


@pytest.mark.parametrize("family", FOLDER)
def test_baking_twice_changes_nothing(fake_root: MakeRoot, tmp_path: Path, ca: Issued, family: str) -> None:
    root = root_with_tools(fake_root, family)
    file = save(tmp_path / "ca.pem", ca.cert_pem)
    bake(root, file)
    first = root.tree()
    bake(root, file)
    assert root.tree() == first
    root.run_twice(VERIFY, bundle_env(file))


@pytest.mark.parametrize("family", FOLDER)
def test_ca_is_trusted_before_any_package_is_installed(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued, family: str
) -> None:
    """As after debootstrap: the new root has no trust store at all, and apt-get runs next."""
    root = fake_root(ELEMENT, family)
    env = bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))
    for hook in (CHECK, ANCHORS):
        run = root.run_outside(hook, env)
        assert run.ok, run.log
    assert root.read(BUNDLE[family]) == ca.cert_pem.decode()
    assert root.mode(BUNDLE[family]) & 0o444 == 0o444


def test_existing_bundle_is_extended_and_not_replaced(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    public = make_ca("Public CA").cert_pem.decode()
    root = fake_root(ELEMENT)
    root.write(BUNDLE["debian"], public)
    env = bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))
    for hook in (CHECK, ANCHORS, ANCHORS):
        assert root.run_outside(hook, env).ok
    assert root.read(BUNDLE["debian"]) == public + ca.cert_pem.decode()


def test_link_in_the_image_cannot_lead_to_the_hosts_store(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    host_file = save(tmp_path / "host-store", b"host\n")
    root = fake_root(ELEMENT)
    bundle = root.path / BUNDLE["debian"].lstrip("/")
    bundle.symlink_to(host_file)
    root.write(str(host_file), "image\n")
    env = bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))
    for hook in (CHECK, ANCHORS):
        assert root.run_outside(hook, env).ok
    assert host_file.read_text() == "host\n"
    assert root.read(str(host_file)) == "image\n" + ca.cert_pem.decode()


@pytest.mark.parametrize("family", FOLDER)
def test_openssl_in_the_image_verifies_a_server_of_the_ca(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued, family: str
) -> None:
    root = root_with_tools(fake_root, family)
    server = root.write("/tmp/server.pem", make_server(ca, ["mirror.internal"]).cert_pem)
    root.add_hook("install.d/99-verify", f"openssl verify -no-CApath -CAfile {BUNDLE[family]} /tmp/{server.name}")
    root.write(BUNDLE[family], make_ca("Other").cert_pem)
    assert not root.run_inside("install.d/99-verify").ok
    bake(root, save(tmp_path / "ca.pem", ca.cert_pem))
    assert root.run_inside("install.d/99-verify").output == "/tmp/server.pem: OK\n"


def test_debian_finds_the_ca_by_its_hash_too(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    root.write("/tmp/server.pem", make_server(ca, ["mirror.internal"]).cert_pem)
    bake(root, save(tmp_path / "ca.pem", ca.cert_pem))
    root.add_hook("install.d/99-verify", "openssl verify -no-CAfile -CApath /etc/ssl/certs /tmp/server.pem")
    assert root.run_inside("install.d/99-verify").output == "/tmp/server.pem: OK\n"


def test_tool_that_forgets_a_ca_fails_the_build(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    other = make_ca("Other").cert_pem.decode()
    root = fake_root(ELEMENT)
    env = bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))
    assert root.run_outside(CHECK, env).ok
    root.write("/usr/sbin/update-ca-certificates", f"#!/bin/bash\necho '{other}' > {BUNDLE['debian']}\n", 0o755)
    run = root.run_inside(STORE, env)
    assert run.status == 1
    assert f"not in {BUNDLE['debian']}: {anchor_name('internal-root-ca', ca)}" in run.output


def test_ca_lost_later_in_the_build_fails_it(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    file = save(tmp_path / "ca.pem", ca.cert_pem)
    bake(root, file)
    root.write(BUNDLE["debian"], "")
    run = root.run_inside(VERIFY, bundle_env(file))
    assert run.status == 1
    assert f"{BUNDLE['debian']} is missing or empty" in run.output


def test_without_the_variable_nothing_but_the_package(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    root.hide("/usr/sbin/update-ca-certificates")
    before = root.tree()
    run = root.run_outside(CHECK)
    assert run.ok
    assert "DIB_TRUSTED_CA_BUNDLE is empty" in run.output
    assert root.run_outside(ANCHORS).ok
    assert root.run_inside(STORE).ok
    assert root.run_inside(VERIFY).ok
    assert root.installed_packages == ["ca-certificates"]
    assert root.tree() == before


def test_debootstrap_gets_the_cas_through_its_suite_script(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    """Source the script as debootstrap does, and let the suite's own script tell what it sees."""
    root = fake_root(ELEMENT)
    assert root.run_outside(CHECK, bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))).ok
    suite = tmp_path / "scripts/testing"
    suite.parent.mkdir()
    suite.write_text("sh -c 'cat \"$WGETRC\"'\n")
    script = root.hooks / ELEMENT / "debootstrap-suite"
    env = {"SCRIPT": str(script), "SUITE": "testing", "DEBOOTSTRAP_DIR": str(tmp_path), "PATH": os.environ["PATH"]}
    told = subprocess.run(["sh", "-euc", '. "$SCRIPT"'], env=env, capture_output=True, text=True, check=True).stdout
    match = re.fullmatch(r"ca_certificate = (.*)\n", told)
    assert match
    assert Path(match[1]).read_bytes() == ca.cert_pem


@pytest.mark.parametrize(
    ("env", "script"),
    [
        ({}, ""),
        ({"DIB_TRUSTED_CA_BUNDLE": "/ca.pem"}, "{hooks}/trusted-ca-bundle/debootstrap-suite"),
        ({"DIB_TRUSTED_CA_BUNDLE": "/ca.pem", "DIB_DEBIAN_DEBOOTSTRAP_SCRIPT": "/mine"}, "/mine"),
    ],
    ids=["no bundle", "bundle", "a script of the operator's own"],
)
def test_suite_script_is_set_only_with_a_bundle(fake_root: MakeRoot, env: dict[str, str], script: str) -> None:
    root = fake_root(ELEMENT)
    root.add_hook("root.d/99-print", 'echo "[${DIB_DEBIAN_DEBOOTSTRAP_SCRIPT}]"')
    assert root.run_outside("root.d/99-print", env).output == f"[{script.format(hooks=root.hooks)}]\n"

"""Units, booting, accounts, sudo and SSH of the real image: what we read is what its own programs say.

The copy is broken first, then asked with the image's own systemctl, sshd and sudo, inside libguestfs' appliance.
"""

from typing import Any

from diskimage_validator import open_target
from diskimage_validator.facts import Facts, collect, known
from diskimage_validator.facts.sudo_rights import root_right
from diskimage_validator.model import Status
from diskimage_validator.policy import load_policy
from diskimage_validator.runner import run_checks
from tests.functional.conftest import Workshop

SSHD = """
mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /run/key
/usr/sbin/sshd -T -h /run/key
rm -rf /run/sshd /run/key*
"""
UNITS = "systemctl --root=/ list-unit-files --no-legend --no-pager --full"
JUDGED = {
    "accounts",
    "authorized-keys",
    "boot",
    "default-target",
    "services-disabled",
    "services-enabled",
    "sshd",
    "sudo",
}
EXPECTED = {
    ("services-enabled", "ssh.service | sshd.service | ssh.socket | sshd.socket"),
    ("accounts", "toor"),
    ("sudo", "/etc/sudoers.d/50-refused"),
    ("sshd", "PasswordAuthentication"),
    ("authorized-keys", "/home/zuul/.ssh/authorized_keys"),
    ("boot", "fstab /data"),
}


def break_it(handle: Any) -> None:
    handle.command(["systemctl", "--root=/", "mask", "ssh.service"])
    handle.command(["systemctl", "--root=/", "disable", "fstrim.timer"])
    handle.write_append("/etc/passwd", b"toor:x:0:0::/root:/bin/bash\n")
    handle.write("/etc/sudoers.d/50-refused", b"%sudo ALL=(ALL) NOPASSWD: ALL\n")
    handle.chmod(0o660, "/etc/sudoers.d/50-refused")
    handle.chown(0, 1000, "/etc/sudoers.d/50-refused")
    handle.write("/etc/ssh/sshd_config.d/05-early.conf", b"PasswordAuthentication yes\nBanner /etc/issue.net\n")
    handle.chmod(0o775, "/home/zuul")
    handle.write_append("/etc/fstab", b"UUID=dead-beef /data ext4 defaults 0 2\n")


def test_the_image_s_own_programs_agree_and_defects_are_found(workshop: Workshop) -> None:
    with workshop as handle:
        break_it(handle)
        units = [line.split() for line in handle.sh(UNITS).splitlines()]
        settings = dict(line.split(" ", 1) for line in handle.sh(SSHD).splitlines() if " " in line)
        sudo = handle.sh("sudo -l -U zuul 2>/dev/null")
    with open_target(str(workshop.copy)) as engine:
        facts = collect(engine)
    assert_units(facts, units)
    assert_sshd(facts, settings)
    assert_sudo(facts, sudo)
    report = run_checks(load_policy("container-node"), facts)
    bad = (Status.FAIL, Status.ERROR)
    judged = (found for found in report.results if found.status in bad and found.check in JUDGED)
    failed = {(found.check, found.finding.subject) for found in judged}
    assert failed == EXPECTED


def assert_units(facts: Facts, units: list[list[str]]) -> None:
    services = known(facts.services)
    assert services is not None
    assert len(units) > 200
    assert {name: services.units[name].state for name, *_ in units} == {name: state for name, state, _ in units}
    presets = {name: preset for name, _, preset in units if preset in ("enabled", "disabled")}
    found = {name: "enabled" if services.units[name].preset else "disabled" for name in presets}
    assert found == presets


def assert_sshd(facts: Facts, settings: dict[str, str]) -> None:
    ssh = known(facts.ssh)
    assert ssh is not None
    assert settings["passwordauthentication"] == "yes"
    judged = (
        "passwordauthentication",
        "permitrootlogin",
        "kbdinteractiveauthentication",
        "authorizedkeysfile",
        "banner",
    )
    more = ("usepam", "x11forwarding", "printmotd", "strictmodes", "maxauthtries", "permitemptypasswords")
    assert {key: ssh.value(key) for key in judged + more} == {key: settings[key] for key in judged + more}


def assert_sudo(facts: Facts, said: str) -> None:
    sudo, user = known(facts.sudo), known(facts.accounts).user("zuul")
    assert sudo is not None
    assert user is not None
    right = root_right(sudo, user)
    assert right is not None
    assert right.nopasswd
    assert "(ALL : ALL) NOPASSWD: ALL" in said

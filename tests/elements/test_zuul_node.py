"""zuul-node: user, keys, sudo, SSH server and what brings the node up."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.elements.packages import packages

FAMILIES = ["debian", "ubuntu", "redhat", "suse"]
DEFAULTS = {
    "DIB_ZUUL_NODE_USER": "zuul",
    "DIB_ZUUL_NODE_AUTHORIZED_KEYS": "",
    "DIB_ZUUL_NODE_INIT": "cloud-init",
}
SSHD = "install.d/53-zuul-node-sshd"
SERVICES = "post-install.d/80-zuul-node-services"
UNITS = "/usr/lib/systemd/system"
WANTED = "/etc/systemd/system/multi-user.target.wants"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a public key; the private one lies beside it, without the suffix."""
    private = tmp_path_factory.mktemp("keys") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "zuul@executor", "-f", private], check=True)
    return private.with_suffix(".pub")


def distro(root: FakeRoot) -> dict[str, str]:
    names = {"debian-minimal": "debian", "ubuntu-minimal": "ubuntu", "centos-minimal": "centos"}
    return {"DISTRO_NAME": names.get(root.family.os_element, "opensuse")}


class TestSettings:
    HOOK = "root.d/00-zuul-node-check-settings"

    def test_defaults_are_accepted(self, fake_root: MakeRoot) -> None:
        run = fake_root("zuul-node").run_outside(self.HOOK, DEFAULTS)
        assert run.ok, run.output

    @pytest.mark.parametrize("user", ["Zuul", "0zuul", "zu ul", "zuul;id", "-zuul", "z" * 33, "a\nb", "root"])
    def test_bad_user_name_is_refused_in_one_line(self, fake_root: MakeRoot, user: str) -> None:
        run = fake_root("zuul-node").run_outside(self.HOOK, DEFAULTS | {"DIB_ZUUL_NODE_USER": user})
        assert run.status == 1
        assert run.output.startswith("ERROR: DIB_ZUUL_NODE_USER is ")
        assert run.output.count("ERROR") == 1

    def test_unknown_init_is_refused_in_one_line(self, fake_root: MakeRoot) -> None:
        run = fake_root("zuul-node").run_outside(self.HOOK, DEFAULTS | {"DIB_ZUUL_NODE_INIT": "ignition"})
        assert run.status == 1
        assert run.output.splitlines() == [
            "ERROR: DIB_ZUUL_NODE_INIT is 'ignition'; it must be cloud-init or glean",
        ]


class TestKeyFile:
    HOOK = "root.d/00-zuul-node-check-keys"

    def check(self, root: FakeRoot, path: Path) -> tuple[int, str]:
        run = root.run_outside(self.HOOK, DEFAULTS | {"DIB_ZUUL_NODE_AUTHORIZED_KEYS": str(path)})
        return run.status, run.output.strip()

    def test_no_file_is_fine(self, fake_root: MakeRoot) -> None:
        run = fake_root("zuul-node").run_outside(self.HOOK, DEFAULTS)
        assert run.ok, run.output

    def test_keys_with_comments_and_options_are_accepted(self, fake_root: MakeRoot, key: Path, tmp_path: Path) -> None:
        keys = tmp_path / "keys"
        keys.write_text(f'# executors\n\n{key.read_text()}from="192.0.2.0/24",no-pty {key.read_text().strip()}')
        assert self.check(fake_root("zuul-node"), keys) == (0, "")

    def test_missing_file_is_refused(self, fake_root: MakeRoot, tmp_path: Path) -> None:
        keys = tmp_path / "absent"
        expected = f"ERROR: DIB_ZUUL_NODE_AUTHORIZED_KEYS: {keys} is not a readable file"
        assert self.check(fake_root("zuul-node"), keys) == (1, expected)

    def test_private_key_is_refused(self, fake_root: MakeRoot, key: Path) -> None:
        private = key.with_suffix("")
        expected = f"ERROR: DIB_ZUUL_NODE_AUTHORIZED_KEYS: {private} holds a private key; name the .pub file"
        assert self.check(fake_root("zuul-node"), private) == (1, expected)

    def test_one_bad_line_among_good_ones_is_refused(self, fake_root: MakeRoot, key: Path, tmp_path: Path) -> None:
        keys = tmp_path / "keys"
        keys.write_text(key.read_text() + "ssh-ed25519 truncated zuul@executor\n")
        expected = f"ERROR: DIB_ZUUL_NODE_AUTHORIZED_KEYS: {keys} line 2 is not an OpenSSH public key"
        assert self.check(fake_root("zuul-node"), keys) == (1, expected)

    def test_file_without_key_is_refused(self, fake_root: MakeRoot, tmp_path: Path) -> None:
        keys = tmp_path / "keys"
        keys.write_text("# nothing yet\n")
        expected = f"ERROR: DIB_ZUUL_NODE_AUTHORIZED_KEYS: {keys} holds no key"
        assert self.check(fake_root("zuul-node"), keys) == (1, expected)


@pytest.mark.parametrize("family", FAMILIES)
class TestAccount:
    def make_user(self, fake_root: MakeRoot, family: str, user: str = "zuul") -> FakeRoot:
        root = fake_root("zuul-node", family)
        root.run_twice("install.d/50-zuul-node-user", DEFAULTS | {"DIB_ZUUL_NODE_USER": user})
        return root

    def test_user_has_a_home_a_shell_and_no_password(self, fake_root: MakeRoot, family: str) -> None:
        root = self.make_user(fake_root, family, "worker")
        passwd = dict(line.split(":", 1) for line in root.read("/etc/passwd").splitlines())
        shadow = dict(line.split(":", 1) for line in root.read("/etc/shadow").splitlines())
        assert passwd["worker"].endswith(":/home/worker:/bin/bash")
        assert shadow["worker"].startswith("!")
        assert root.mode("/home/worker/.ssh") == 0o700

    def test_keys_reach_the_user(self, fake_root: MakeRoot, family: str, key: Path) -> None:
        root = self.make_user(fake_root, family)
        environment = DEFAULTS | {"DIB_ZUUL_NODE_AUTHORIZED_KEYS": str(key)}
        assert root.run_outside("extra-data.d/50-zuul-node-authorized-keys", environment).ok
        root.run_twice("install.d/51-zuul-node-authorized-keys", environment)
        entry = root.tree()["/home/zuul/.ssh/authorized_keys"]
        assert entry.content == key.read_bytes()
        assert entry.mode == 0o600
        assert entry.owner == root.tree()["/home/zuul"].owner != (0, 0)

    def test_without_keys_nothing_is_written(self, fake_root: MakeRoot, family: str) -> None:
        root = self.make_user(fake_root, family)
        assert root.run_outside("extra-data.d/50-zuul-node-authorized-keys", DEFAULTS).ok
        root.run_twice("install.d/51-zuul-node-authorized-keys", DEFAULTS)
        assert not root.exists("/home/zuul/.ssh/authorized_keys")

    def test_sudo_rules_are_valid_and_protected(self, fake_root: MakeRoot, family: str) -> None:
        root = self.make_user(fake_root, family)
        run = root.run_twice("install.d/52-zuul-node-sudo", DEFAULTS)
        assert "/etc/sudoers.d/90-zuul-node: parsed OK" in run.output
        entry = root.tree()["/etc/sudoers.d/90-zuul-node"]
        assert (entry.mode, entry.owner) == (0o440, (0, 0))
        assert entry.content.decode().splitlines() == [
            "Defaults:zuul !requiretty",
            "zuul ALL=(ALL:ALL) NOPASSWD: ALL",
        ]

    def test_sudo_rules_that_visudo_refuses_are_not_installed(self, fake_root: MakeRoot, family: str) -> None:
        root = fake_root("zuul-node", family)
        run = root.run_inside("install.d/52-zuul-node-sudo", DEFAULTS | {"DIB_ZUUL_NODE_USER": "zuul ALL="})
        assert run.status == 1
        assert "ERROR: visudo refuses the rules for zuul ALL=" in run.output
        assert not root.exists("/etc/sudoers.d/90-zuul-node")

    def test_a_broken_file_of_someone_else_ends_the_build(self, fake_root: MakeRoot, family: str) -> None:
        root = self.make_user(fake_root, family)
        root.write("/etc/sudoers.d/10-broken", "zuul ALL\n", 0o440)
        assert not root.run_inside("install.d/52-zuul-node-sudo", DEFAULTS).ok


class TestSshServer:
    def with_sshd(self, fake_root: MakeRoot, family: str, config: str) -> FakeRoot:
        root = fake_root("zuul-node", family)
        root.write("/etc/ssh/sshd_config", config)
        root.write("/etc/passwd", root.read("/etc/passwd") + "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n")
        return root

    @pytest.mark.parametrize("family", FAMILIES)
    def test_drop_in_wins_over_the_distribution(self, fake_root: MakeRoot, family: str) -> None:
        config = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\nPermitRootLogin yes\n"
        root = self.with_sshd(fake_root, family, config)
        root.write("/etc/ssh/sshd_config.d/50-redhat.conf", "PasswordAuthentication yes\n")
        root.run_twice(SSHD)
        assert "PermitRootLogin no" in root.read("/etc/ssh/sshd_config.d/10-zuul-node.conf").splitlines()

    def test_server_that_ignores_drop_ins_ends_the_build(self, fake_root: MakeRoot) -> None:
        run = self.with_sshd(fake_root, "suse", "PasswordAuthentication yes\n").run_inside(SSHD)
        assert run.status == 1
        assert "ERROR: sshd does not take over" in run.output

    def test_no_host_key_is_left_behind(self, fake_root: MakeRoot) -> None:
        root = self.with_sshd(fake_root, "debian", "Include /etc/ssh/sshd_config.d/*.conf\n")
        root.run_twice(SSHD)
        names = ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "ssh_host_ed25519_key-cert.pub")
        for name in names:
            root.write(f"/etc/ssh/{name}", "key")
        run = root.run_outside("cleanup.d/90-zuul-node-identity")
        assert run.ok, run.output
        assert not [path for path in root.tree() if "ssh_host" in path]
        assert root.exists("/etc/ssh/sshd_config")


class TestIdentity:
    def test_image_has_no_name_and_no_trace_of_the_build_host(self, fake_root: MakeRoot) -> None:
        root = fake_root("zuul-node")
        root.write("/run/systemd/resolve/stub-resolv.conf", "nameserver 192.0.2.1\n")
        run = root.run_outside("cleanup.d/90-zuul-node-identity")
        assert run.ok, run.output
        assert not root.exists("/etc/hostname")
        assert not root.exists("/run/systemd/resolve")

    INITIATOR = "/etc/iscsi/initiatorname.iscsi"

    def test_an_iscsi_initiator_gets_a_name_of_its_own_on_the_node(self, fake_root: MakeRoot) -> None:
        root = fake_root("zuul-node")
        root.write(self.INITIATOR, "InitiatorName=iqn.1993-08.org.example:01:f3a9f2387045\n")
        root.write("/usr/lib/open-iscsi/startup-checks.sh", "grep -q '^GenerateName=yes' $NAMEFILE\n")
        run = root.run_outside("cleanup.d/90-zuul-node-identity")
        assert run.ok, run.output
        assert root.read(self.INITIATOR) == "GenerateName=yes\n"

    def test_an_initiator_that_makes_no_name_by_itself_has_none(self, fake_root: MakeRoot) -> None:
        root = fake_root("zuul-node", "redhat")
        root.write(self.INITIATOR, "InitiatorName=iqn.1994-05.com.example:f3a9f2387045\n")
        run = root.run_outside("cleanup.d/90-zuul-node-identity")
        assert run.ok, run.output
        assert not root.exists(self.INITIATOR)

    def test_machine_id_is_reset_by_sysprep(self, fake_root: MakeRoot) -> None:
        assert "sysprep" in fake_root("zuul-node", "redhat").elements


class TestResolvConf:
    HOOK = "pre-install.d/50-zuul-node-resolv-conf"

    @pytest.mark.parametrize("family", ["debian", "ubuntu"])
    def test_link_leads_to_resolved_and_the_build_keeps_its_dns(self, fake_root: MakeRoot, family: str) -> None:
        root = fake_root("zuul-node", family)
        root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n", 0o777)
        root.run_twice(self.HOOK, DEFAULTS | distro(root))
        entry = root.tree()["/etc/resolv.conf"]
        assert (entry.kind, entry.content) == ("l", b"../run/systemd/resolve/stub-resolv.conf")
        assert (root.path / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"

    @pytest.mark.parametrize(("family", "init"), [("debian", "glean"), ("redhat", "cloud-init"), ("suse", "glean")])
    def test_others_keep_a_plain_file(self, fake_root: MakeRoot, family: str, init: str) -> None:
        root = fake_root("zuul-node", family)
        root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")
        root.run_twice(self.HOOK, DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_INIT": init})
        assert root.tree()["/etc/resolv.conf"].kind == "-"

    @pytest.mark.parametrize("family", ["debian", "ubuntu"])
    def test_glean_leaves_the_build_host_s_servers_out_of_the_image(self, fake_root: MakeRoot, family: str) -> None:
        root = fake_root("zuul-node", family)
        root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")  # the build still needs it
        root.write("/etc/resolv.conf.ORIG", "nameserver 192.0.2.1\n", 0o600)
        root.run_twice(self.HOOK, DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_INIT": "glean"})
        assert root.read("/etc/resolv.conf") == "nameserver 192.0.2.1\n"
        assert "nameserver" not in root.read("/etc/resolv.conf.ORIG")
        assert root.tree()["/etc/resolv.conf.ORIG"].mode & 0o777 == 0o644

    def test_glean_leaves_a_link_that_dib_saved(self, fake_root: MakeRoot) -> None:
        root = fake_root("zuul-node", "debian")
        root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")
        (root.path / "etc/resolv.conf.ORIG").symlink_to("../run/resolvconf/resolv.conf")
        root.run_twice(self.HOOK, DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_INIT": "glean"})
        assert root.tree()["/etc/resolv.conf.ORIG"].kind == "l"


@pytest.mark.parametrize("family", FAMILIES)
class TestCloudInit:
    HOOK = "install.d/60-zuul-node-cloud-init"
    FOLDER = "etc/cloud/cloud.cfg.d"

    def configured(self, fake_root: MakeRoot, family: str, init: str = "cloud-init") -> FakeRoot:
        root = fake_root("zuul-node", family)
        root.run_twice(
            self.HOOK, DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_USER": "worker", "DIB_ZUUL_NODE_INIT": init}
        )
        return root

    def test_drop_in_says_what_the_node_needs(self, fake_root: MakeRoot, family: str) -> None:
        root = self.configured(fake_root, family)
        config = yaml.safe_load(root.read(f"{self.FOLDER}/95-zuul-node.cfg"))
        assert config["datasource_list"] == ["ConfigDrive", "OpenStack", "None"]
        assert config["system_info"]["default_user"]["name"] == "worker"
        assert config["preserve_hostname"] is False
        # Set to anything, it makes cloud-init restart sshd while Zuul may be connecting; the drop-in of sshd decides.
        assert "ssh_pwauth" not in config
        assert config["apt"] == {"preserve_sources_list": True}
        assert config["growpart"]["devices"] == ["/"]

    def test_it_runs_even_where_no_cloud_is_recognised(self, fake_root: MakeRoot, family: str) -> None:
        policy = self.configured(fake_root, family).read("/etc/cloud/ds-identify.cfg")
        assert "notfound=enabled" in policy

    def test_renderer_is_fixed_where_this_element_installs_it(self, fake_root: MakeRoot, family: str) -> None:
        root = self.configured(fake_root, family)
        path = f"{self.FOLDER}/96-zuul-node-network.cfg"
        assert root.exists(path) is (family in {"debian", "ubuntu"})
        if root.exists(path):
            assert yaml.safe_load(root.read(path))["system_info"]["network"]["renderers"] == ["netplan"]

    def test_glean_gets_no_cloud_init_configuration(self, fake_root: MakeRoot, family: str) -> None:
        assert not self.configured(fake_root, family, "glean").exists("/etc/cloud")


@pytest.mark.parametrize("init", ["cloud-init", "glean"])
@pytest.mark.parametrize(
    ("family", "server", "network"),
    [
        ("debian", "ssh", "systemd-networkd"),
        ("ubuntu", "ssh", "systemd-networkd"),
        ("redhat", "sshd", "NetworkManager"),
        ("suse", "sshd", "wicked"),
    ],
)
def test_services_that_start(fake_root: MakeRoot, family: str, server: str, network: str, init: str) -> None:
    root = fake_root("zuul-node", family)
    own = ["cloud-init-local", "cloud-init", "cloud-config", "cloud-final"]
    for unit in ("zuul-node-ssh-host-keys", "systemd-networkd", "systemd-resolved", server, network, *own):
        root.write(f"{UNITS}/{unit}.service", "[Service]\n[Install]\nWantedBy=multi-user.target\n")
    root.run_twice(SERVICES, DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_INIT": init})
    links = {path.rpartition("/")[2] for path in root.tree() if path.startswith(f"{WANTED}/")}
    assert {f"{server}.service", "zuul-node-ssh-host-keys.service"} <= links
    assert (f"{network}.service" in links) is (init == "cloud-init" or family in {"redhat", "suse"})
    assert {f"{unit}.service" in links for unit in own} == {init == "cloud-init"}


def test_host_keys_are_made_before_the_server_and_after_cloud_init(fake_root: MakeRoot) -> None:
    root = fake_root("zuul-node", "redhat")
    lines = (root.hooks / "init-scripts/systemd/zuul-node-ssh-host-keys.service").read_text().splitlines()
    before = next(line for line in lines if line.startswith("Before=")).partition("=")[2].split()
    after = next(line for line in lines if line.startswith("After=")).partition("=")[2].split()
    assert set(before) >= {"ssh.service", "sshd.service"}
    assert set(after) >= {"cloud-init.service", "cloud-init-network.service", "sshd-keygen.target"}


@pytest.mark.parametrize(("family", "option"), [("debian", ""), ("ubuntu", ""), ("redhat", " --use-nm"), ("suse", "")])
def test_glean_is_installed_from_the_mirror_with_the_right_network(
    fake_root: MakeRoot, family: str, option: str
) -> None:
    root = fake_root("zuul-node", family)
    # No network in here: pip and glean-install only leave a trace of how they were called.
    for name in ("pip", "glean-install"):
        root.write(f"/opt/glean/bin/{name}", f'#!/bin/bash\necho "{name} $*" | sed "s/ $//" >> /tmp/calls\n', 0o755)
    root.stand_in("python3", "exit 0")
    environment = DEFAULTS | distro(root) | {"DIB_ZUUL_NODE_INIT": "glean", "DIB_ZUUL_NODE_USER": "worker"}
    root.run_twice("install.d/60-zuul-node-glean", environment)
    assert root.read("/tmp/calls").splitlines()[:2] == ["pip install glean", f"glean-install{option}"]
    assert root.exists(f"{WANTED}/zuul-node-glean-keys.service")
    assert "/etc/ssh/authorized_keys.d/worker\n" in root.read(f"{UNITS}/zuul-node-glean-keys.service")


class TestPackages:
    @pytest.mark.parametrize(
        ("distro_name", "release", "init", "expected"),
        [
            ("debian", "bookworm", "cloud-init", {"cloud-init", "cloud-guest-utils", "netplan.io", "systemd-resolved"}),
            ("debian", "trixie", "cloud-init", {"cloud-init", "cloud-guest-utils", "netplan.io", "systemd-resolved"}),
            ("ubuntu", "jammy", "cloud-init", {"cloud-init", "netplan.io"}),
            ("rocky", "9", "cloud-init", {"cloud-init", "cloud-utils-growpart", "NetworkManager"}),
            ("fedora", "42", "cloud-init", {"cloud-init", "NetworkManager", "python3-libdnf5"}),
            ("opensuse", "15.6", "cloud-init", {"cloud-init", "growpart", "wicked-service", "openssh"}),
            ("debian", "bookworm", "glean", {"ifupdown", "isc-dhcp-client", "python3-venv"}),
            ("debian", "trixie", "glean", {"ifupdown", "dhcpcd-base", "python3-venv"}),
            ("ubuntu", "noble", "glean", {"ifupdown", "isc-dhcp-client"}),
            ("centos", "10-stream", "glean", {"NetworkManager"}),
        ],
    )
    def test_network_needs(self, distro_name: str, release: str, init: str, expected: set[str]) -> None:
        found = packages("zuul-node", distro_name, release, {"DIB_ZUUL_NODE_INIT": init})
        assert found >= expected | {"sudo", "python3", "rsync"}
        assert ("cloud-init" in found) is (init == "cloud-init")

    def test_glean_pushes_cloud_init_out(self) -> None:
        environment = {"DIB_ZUUL_NODE_INIT": "glean"}
        assert packages("zuul-node", "ubuntu", "noble", environment, "uninstall") == {"cloud-init"}
        assert packages("zuul-node", "ubuntu", "noble", action="uninstall") == set()

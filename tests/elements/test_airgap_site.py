"""The element airgap-site: one file of mirrors, registries and egress, checked before a build and read by all."""

import copy
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import ELEMENTS
from tests.elements.families import FAMILIES
from tests.elements.pki import Issued
from tests.elements.site import SITE, bake_site, read_site, write_site

ELEMENT = "airgap-site"
TOOL = ELEMENTS / ELEMENT / ELEMENT / "airgap-site"
EMPTY = {
    "version": 1,
    "mirrors": {"apt": [], "dnf": [], "zypper": [], "pip": None, "npm": None},
    "registries": [],
    "search_registries": [],
    "egress": {"dns": [], "allow": []},
}


def tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does, with the Python of the system."""
    command = ["/usr/bin/python3", "-B", TOOL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def problems(tmp_path: Path, site: dict[str, Any] | str) -> list[str]:
    """What the command says about a bad site file: lines without what all of them begin with."""
    path = write_site(tmp_path, site)["DIB_AIRGAP_SITE"]
    run = tool("--json", "--release", "trixie", path)
    assert run.returncode == 1
    assert run.stdout == ""
    lines = run.stderr.splitlines()
    assert all(line.startswith(f"ERROR: airgap-site: {path}") for line in lines), run.stderr
    return [line.removeprefix(f"ERROR: airgap-site: {path}") for line in lines]


def good(tmp_path: Path, site: dict[str, Any] | str, *options: str) -> dict[str, Any]:
    """The normalised form of a good site file."""
    path = write_site(tmp_path, site)["DIB_AIRGAP_SITE"]
    run = tool("--json", "--release", "trixie", *options, path)
    assert run.returncode == 0, run.stderr
    loaded: dict[str, Any] = json.loads(run.stdout)
    return loaded


def variables(tmp_path: Path, site: dict[str, Any], *options: str) -> dict[str, str]:
    """What a shell has after evaluating ``--environment``."""
    path = write_site(tmp_path, site)["DIB_AIRGAP_SITE"]
    command = shlex.join(["/usr/bin/python3", "-B", str(TOOL), "--environment", *options, path])
    script = f'set -e; lines=$({command}); eval "$lines"; env -0'
    run = subprocess.run(["bash", "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    return dict(
        pair.split("=", 1) for pair in run.stdout.decode().split("\0") if pair.startswith(("DIB", "PIP", "NPM"))
    )


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The example site after ``change``."""
    site = copy.deepcopy(SITE)
    change(site)
    return site


def apt(**entry: object) -> dict[str, Any]:
    """A site of one apt mirror."""
    return {"version": 1, "mirrors": {"apt": [{"uri": "https://mirror.internal/debian", **entry}]}}


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_site_file_every_list_is_empty(fake_root: MakeRoot, family: str) -> None:
    assert bake_site(fake_root(ELEMENT, family), None) == EMPTY


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nmirrors:\nregistries:\negress:\n  # dns: []\n"])
def test_commented_out_sections_are_empty(tmp_path: Path, text: str) -> None:
    assert good(tmp_path, text) == EMPTY


def test_hook_fills_in_defaults(fake_root: MakeRoot) -> None:
    site = bake_site(fake_root(ELEMENT), SITE)
    assert site["mirrors"]["apt"][0] == {
        "uri": "https://mirror.internal/debian",
        "suites": ["bookworm", "bookworm-updates"],
        "components": ["main"],
        "signed_by": "/usr/share/keyrings/debian-archive-keyring.gpg",
        "allow_plain_http": False,
    }
    assert site["mirrors"]["apt"][1]["suites"] == ["bookworm-security"]
    assert site["registries"][0]["location"] == "registry.internal:5000"
    assert site["egress"]["allow"][0] == {"host": "git.internal", "ports": [443], "protocol": "tcp"}


def test_ubuntu_mirrors_are_signed_by_the_key_of_ubuntu(fake_root: MakeRoot) -> None:
    site = bake_site(fake_root(ELEMENT, "ubuntu"), SITE)
    assert site["mirrors"]["apt"][0]["signed_by"] == "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    assert site["mirrors"]["apt"][0]["suites"] == ["noble", "noble-updates"]


def test_normalising_twice_changes_nothing(tmp_path: Path) -> None:
    once = good(tmp_path, SITE)
    assert good(tmp_path, once) == once


def test_hook_refuses_a_bad_file_and_writes_nothing(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    run = read_site(root, apt(uri="http://mirror.internal/debian"))
    assert run.status != 0
    assert "site.yaml:4: mirrors.apt[0].uri: is plain http" in run.output
    assert not (root.hooks / "airgap-site/site.json").exists()


def test_missing_file_is_refused_in_one_line(fake_root: MakeRoot) -> None:
    run = fake_root(ELEMENT).run_outside("root.d/02-airgap-site", {"DIB_AIRGAP_SITE": "/nowhere/site.yaml"})
    assert run.status != 0
    assert run.output.splitlines() == ["ERROR: airgap-site: /nowhere/site.yaml: No such file or directory"]


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    site = {
        "version": 1,
        "mirrors": {"apt": [{"url": "https://mirror.internal/"}], "pip": {"index_url": "mirror.internal"}},
        "registries": [{"prefix": "registry"}],
        "egress": {"dns": ["resolver.internal"]},
    }
    told = problems(tmp_path, site)
    places = [line.split(": ")[1] for line in told]
    assert places == [
        "mirrors.apt[0].url", "mirrors.apt[0]", "mirrors.pip.index_url", "registries[0].prefix", "egress.dns[0]",
    ]  # fmt: skip
    assert [int(line.split(":")[1]) for line in told] == sorted(int(line.split(":")[1]) for line in told)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version: 2\n", ":1: version is missing or not known; write version: 1"),
        ("mirrors: {}\n", ":1: version is missing or not known; write version: 1"),
        ("version: 1\nmirror: {}\n", ":2: mirror: unknown; known here: egress, mirrors"),
        ("version: 1\nmirrors: {}\nmirrors: {}\n", ":3: mirrors: given twice"),
        ("version: 1\nmirrors: []\n", ":2: mirrors: must be a mapping, not a list"),
        ("version: 1\nregistries: {}\n", ":2: registries: must be a list, not a mapping"),
        ("version: 1\nsearch_registries: [5000]\n", ":2: search_registries[0]: must be text, not a number"),
        ("version: 1\nmirrors: {apt: [{uri: 'https://a/', suites: [{release}]}]}\n", "not a mapping; put it in quotes"),
        ("version: 1\n? [a, b]\n: c\n", ":2: (a key): unknown"),
        ("version: 1\nmirrors: !!map x\n", ":2: mirrors: must be a mapping, not something else"),
        ("version: 1\nregistries: !!str [x]\n", ":2: registries[0]: must be a mapping, not text"),
        ("- 1\n", ":1: must be a mapping, not a list"),
        ("version: [1\n", ":2: is no YAML: "),
        ("version: 1\n---\nversion: 1\n", ":2: is no YAML: but found another document"),
        ("[" * 5000, ": is no YAML: "),
        ("version: 1\n\x01", ": is no YAML: "),
        ("version: !!python/object/apply:os.system [id]\n", ":1: version: must be a number, not a list"),
        ("#" * 1_100_000, ": larger than 1048576 bytes"),
    ],
)
def test_file_of_another_form_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    assert any(reason in line for line in problems(tmp_path, text))


def test_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes("version: 1 # é".encode("latin-1"))
    assert "is not UTF-8 text" in tool("--release", "trixie", tmp_path / "site.yaml").stderr


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://mirror.internal/debian", "is plain http; use https, or add allow_plain_http: true"),
        ("ftp://mirror.internal/debian", "must begin with https://"),
        ("mirror.internal/debian", "must begin with https://"),
        ("https:///debian", "its host must be a name"),
        ("https://Mirror.internal/debian", "its host must be a name"),
        ("https://mirror_1.internal/", "its host must be a name"),
        ("https://-mirror.internal/", "its host must be a name"),
        ("https://mirror..internal/", "its host must be a name"),
        ("https://10.0.0.256/", "its host must be a name"),
        ("https://10.1/", "its host must be a name"),
        ("https://::1/", "its host must be a name"),
        ("https://[fe80::1%25eth0]/", "its host must be a name"),
        ("https://mirror.internal:0/", "its host must be a name"),
        ("https://mirror.internal:65536/", "its host must be a name"),
        ("https://mirror.internal:/", "its host must be a name"),
        ("https://mirror.internal\n/", "its host must be a name"),
        ("https://mirror.internal/de bian", "a character in its path"),
        ("https://mirror.internal/debian\n", "a character in its path"),
        ('https://mirror.internal/"', "a character in its path"),
        ("https://mirror.internal/'", "a character in its path"),
        ("https://mirror.internal/$(id)", "a character in its path"),
        ("https://mirror.internal/${HOME}", "a character in its path"),
        ("https://mirror.internal/a;b", "a character in its path"),
        ("https://mirror.internal/a#b", "a character in its path"),
        ("https://mirror.internal/a?b", "a character in its path"),
        ("https://mirror.internal/a,b", "a character in its path"),
        ("https://mirror.internal/%zz", "a character in its path"),
        ("https://mirror.internal/é", "a character in its path"),
        ("https://mirror.internal/\x7f", ""),
    ],
)
def test_url_that_is_not_plain_https_is_refused(tmp_path: Path, uri: str, reason: str) -> None:
    told = problems(tmp_path, apt(uri=uri))
    assert len(told) == 1
    assert reason in told[0]


def test_password_in_a_url_is_refused_and_not_printed(tmp_path: Path) -> None:
    told = problems(tmp_path, apt(uri="https://bob:hunter2@mirror.internal/debian"))
    assert len(told) == 1
    assert "holds a user name or a password" in told[0]
    assert "hunter2" not in told[0]


@pytest.mark.parametrize(
    "uri",
    ["https://mirror.internal", "https://[fd00::1]:8443/debian/", "https://10.0.0.1/~a/b+c=d:e@f/%20-_.", "https://m/"],
)
def test_plain_url_is_taken_as_it_is(tmp_path: Path, uri: str) -> None:
    assert good(tmp_path, apt(uri=uri))["mirrors"]["apt"][0]["uri"] == uri


def test_plain_http_is_taken_with_the_word_for_it(tmp_path: Path) -> None:
    site = good(tmp_path, apt(uri="http://mirror.internal/debian", allow_plain_http=True))
    assert site["mirrors"]["apt"][0]["allow_plain_http"] is True


def test_word_for_plain_http_counts_for_its_entry_only(tmp_path: Path) -> None:
    site = apt(uri="http://mirror.internal/debian", allow_plain_http=True)
    site["mirrors"]["apt"].append({"uri": "http://mirror.internal/other"})
    assert [line.split(": ")[1] for line in problems(tmp_path, site)] == ["mirrors.apt[1].uri"]


@pytest.mark.parametrize("word", ["", "a b", "-a", "a/", "[trusted=yes]", "a\nb", "{distro}"])
def test_odd_suite_is_refused(tmp_path: Path, word: str) -> None:
    assert "must be one word" in problems(tmp_path, apt(suites=[word]))[0]


def test_empty_list_of_suites_is_refused(tmp_path: Path) -> None:
    assert "must not be empty" in problems(tmp_path, apt(suites=[]))[0]


@pytest.mark.parametrize("path", ["key.gpg", "/a b", "/etc/../key", "/key\n"])
def test_odd_keyring_is_refused(tmp_path: Path, path: str) -> None:
    assert ".signed_by: must" in problems(tmp_path, apt(signed_by=path))[0]


@pytest.mark.parametrize("section", ["dnf", "zypper"])
def test_rpm_repository_without_a_key_is_refused(tmp_path: Path, section: str) -> None:
    told = problems(tmp_path, changed(lambda site: site["mirrors"][section][0].pop("gpgkey")))
    assert told == [line for line in told if f"mirrors.{section}[0]: gpgkey is missing" in line] != []


def test_key_over_plain_http_is_refused_whatever_the_entry_says(tmp_path: Path) -> None:
    entry = {"gpgkey": "http://mirror.internal/key", "allow_plain_http": True}
    told = problems(tmp_path, changed(lambda site: site["mirrors"]["dnf"][0].update(entry)))
    assert len(told) == 1
    assert told[0].endswith("mirrors.dnf[0].gpgkey: is plain http; use https")


@pytest.mark.parametrize("name", ["a b", "a]", "../a", ""])
def test_odd_repository_id_is_refused(tmp_path: Path, name: str) -> None:
    told = problems(tmp_path, changed(lambda site: site["mirrors"]["dnf"][0].update(id=name)))
    assert "mirrors.dnf[0].id: must be one word" in told[0]


def test_two_repositories_of_one_id_are_refused(tmp_path: Path) -> None:
    told = problems(tmp_path, changed(lambda site: site["mirrors"]["dnf"].append(site["mirrors"]["dnf"][0])))
    assert "mirrors.dnf[1]: id baseos is there twice" in told[0]


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("registry", "needs a dot or a port"),
        ("https://registry.internal", "is a URL"),
        ("bob:secret@registry.internal", "holds a user name, a password or a digest"),
        ("Registry.internal", "must be host[:port][/path] in lower case"),
        ("registry.internal/", "must be host[:port][/path] in lower case"),
        ("registry.internal/Kolla", "must be host[:port][/path] in lower case"),
        ("registry.internal/a b", "must be host[:port][/path] in lower case"),
        ("registry.internal/a/../b", "must be host[:port][/path] in lower case"),
        ('registry.internal"', "must be host[:port][/path] in lower case"),
        ("registry.internal:x", "must be host[:port][/path] in lower case"),
    ],
)
def test_odd_registry_is_refused(tmp_path: Path, prefix: str, reason: str) -> None:
    told = problems(tmp_path, {"version": 1, "registries": [{"prefix": prefix}]})
    assert reason in told[0]
    assert "secret" not in told[0]


@pytest.mark.parametrize(
    "prefix", ["registry.internal", "r:5000/kolla/a__b", "10.0.0.1", "[fd00::1]:5000", "localhost"]
)
def test_registry_is_its_own_location(tmp_path: Path, prefix: str) -> None:
    site = good(tmp_path, {"version": 1, "registries": [{"prefix": prefix}]})
    assert (site["registries"][0]["prefix"], site["registries"][0]["location"]) == (prefix, prefix)


def test_insecure_registry_is_not_known(tmp_path: Path) -> None:
    told = problems(tmp_path, {"version": 1, "registries": [{"prefix": "r.internal", "insecure": True}]})
    assert "registries[0].insecure: unknown" in told[0]


def client(tmp_path: Path, cert: bytes | None, key: bytes | None) -> dict[str, Any]:
    """A site whose registry asks for this client certificate and key."""
    registry = {"prefix": "registry.internal"}
    for name, content in (("client_cert", cert), ("client_key", key)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
            registry[name] = str(tmp_path / name)
    return {"version": 1, "registries": [registry]}


def test_client_certificate_and_key_are_named_by_path_only(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    site = bake_site(root, client(tmp_path, ca.cert_pem, ca.key_pem))
    assert site["registries"][0]["client_key"] == str(tmp_path / "client_key")
    assert "PRIVATE" not in json.dumps(site)


def test_client_certificate_without_its_key_is_refused(tmp_path: Path, ca: Issued) -> None:
    told = problems(tmp_path, client(tmp_path, ca.cert_pem, None))
    assert "client_cert and client_key belong together" in told[0]


def test_client_certificate_and_key_the_wrong_way_round_are_refused(tmp_path: Path, ca: Issued) -> None:
    told = problems(tmp_path, client(tmp_path, ca.key_pem, ca.cert_pem))
    assert [line.rpartition(" holds no ")[2] for line in told] == [
        "certificate in PEM form",
        "private key in PEM form",
    ]


def test_certificate_in_one_file_with_its_key_is_refused(tmp_path: Path, ca: Issued) -> None:
    both = ca.cert_pem + ca.key_pem
    told = problems(tmp_path, client(tmp_path, both, both))
    assert "client_cert holds a private key as well" in told[0]


@pytest.mark.parametrize("address", ["resolver.internal", "10.0.0", "fe80::1%eth0", "10.0.0.53:53"])
def test_resolver_that_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    told = problems(tmp_path, {"version": 1, "egress": {"dns": [address]}})
    assert "egress.dns[0]: must be the IP address of a resolver" in told[0]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"ports": [443]}, "needs either host or cidr"),
        ({"host": "git.internal", "cidr": "10.0.0.0/8"}, "needs either host or cidr"),
        ({"host": "git.internal:443"}, "must be a host name in lower case"),
        ({"host": "git internal"}, "must be a host name in lower case"),
        ({"cidr": "10.0.0.1/8"}, "has host bits set"),
        ({"cidr": "internal"}, "must be a network such as"),
        ({"cidr": "0.0.0.0/0"}, "is every address there is"),
        ({"cidr": "::/0"}, "is every address there is"),
        ({"host": "git.internal", "ports": [0]}, "a port is a number from 1 to 65535"),
        ({"host": "git.internal", "ports": ["443"]}, "must be a number, not text"),
        ({"host": "git.internal", "ports": [True]}, "must be a number, not true or false"),
        ({"host": "git.internal", "protocol": "icmp"}, "must be tcp or udp"),
    ],
)
def test_odd_egress_is_refused(tmp_path: Path, entry: dict[str, Any], reason: str) -> None:
    told = problems(tmp_path, {"version": 1, "egress": {"allow": [entry]}})
    assert len(told) == 1
    assert reason in told[0]


def test_build_of_debian_gets_exactly_the_sources_of_the_site(tmp_path: Path) -> None:
    found = variables(tmp_path, SITE, "--release", "trixie")
    assert found == {
        "DIB_DISTRIBUTION_MIRROR": "https://mirror.internal/debian",
        "DIB_DEBIAN_SECURITY_MIRROR": "https://mirror.internal/debian-security",
        "DIB_DEBIAN_COMPONENTS": "main",
        "DIB_APT_SOURCES_CONF": (
            "site-0-trixie:deb https://mirror.internal/debian trixie main\n"
            "site-0-trixie-updates:deb https://mirror.internal/debian trixie-updates main\n"
            "site-1-trixie-security:deb https://mirror.internal/debian-security trixie-security main"
        ),
        "PIP_INDEX_URL": "https://mirror.internal/pypi/simple",
        "NPM_CONFIG_REGISTRY": "https://mirror.internal/npm/",
    }


def test_build_of_ubuntu_gets_the_suites_of_its_mirror(tmp_path: Path) -> None:
    site = apt(suites=["{release}", "{release}-updates", "{release}-security"], components=["main", "universe"])
    found = variables(tmp_path, site, "--distribution", "ubuntu", "--release", "noble")
    assert found["DIB_UBUNTU_MIRROR_DISTS"] == "updates,security"
    assert found["DIB_DEBIAN_COMPONENTS"] == "main,universe"


def test_build_of_opensuse_gets_its_repositories(tmp_path: Path) -> None:
    found = variables(tmp_path, SITE, "--distribution", "opensuse", "--release", "15.6")
    assert found["DIB_ZYPPER_REPOS"] == "oss=>https://mirror.internal/leap/$releasever/oss/"


def test_site_without_the_release_is_no_start_for_a_build(tmp_path: Path) -> None:
    path = write_site(tmp_path, apt(suites=["bookworm"]))["DIB_AIRGAP_SITE"]
    run = tool("--environment", "--release", "trixie", path)
    assert run.returncode == 1
    assert (
        run.stderr == "ERROR: airgap-site: mirrors.apt: no entry has the suite trixie, which debootstrap starts from\n"
    )

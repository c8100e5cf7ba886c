"""The element internal-mirrors: what a node installs from, and that nothing says what it was built from."""

import base64
import configparser
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from debian.deb822 import Deb822

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import ELEMENTS, FakeRoot, Run
from tests.elements.site import SITE, bake_site, write_site

ELEMENT = "internal-mirrors"
RENDER = "root.d/03-internal-mirrors"
EARLY = "pre-install.d/03-internal-mirrors"
FINAL = "cleanup.d/96-internal-mirrors"
VERIFY = "cleanup.d/98-internal-mirrors"
DEB822 = "/etc/apt/sources.list.d/internal-mirrors.sources"
ONE_LINE = "/etc/apt/sources.list.d/internal-mirrors.list"
KEYS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    "redhat": "/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9",
}
BUILD = {"DIB_DISTRIBUTION_MIRROR": "https://build-mirror.internal/debian"}


def apt_site(*entries: dict[str, Any]) -> dict[str, Any]:
    """A site of apt mirrors only."""
    return {"version": 1, "mirrors": {"apt": list(entries)}}


@pytest.fixture
def prepared(fake_root: MakeRoot) -> Any:
    """Return ``make(family="debian", site=SITE, env={})``: a root for which the outside hooks have run."""

    def make(family: str = "debian", site: Mapping[str, Any] | None = SITE, env: Mapping[str, str] = {}) -> FakeRoot:
        root = fake_root(ELEMENT, family)
        for folder in ("/etc/apt/sources.list.d", "/etc/apt/preferences.d") if family in ("debian", "ubuntu") else ():
            (root.path / folder[1:]).mkdir(parents=True)
        for path in [KEYS[family]] if family in KEYS else []:
            root.write(path, "a key")
        bake_site(root, site)
        run = root.run_outside(RENDER, env)
        assert run.ok, run.log
        return root

    return make


def finish(root: FakeRoot, env: Mapping[str, str] = {}) -> FakeRoot:
    """Run the last hooks of a build, which have to succeed."""
    for hook in (FINAL, VERIFY):
        run = root.run_outside(hook, {**BUILD, **env})
        assert run.ok, run.log
    return root


def ask(root: FakeRoot, command: str) -> list[str]:
    """Run a command in the root; return what it prints."""
    root.add_hook("install.d/99-ask", command)
    run = root.run_inside("install.d/99-ask")
    assert run.ok, run.log
    return run.output.splitlines()


def verify(root: FakeRoot, env: Mapping[str, str]) -> Run:
    """Run the last hook alone, against what a test put into the root."""
    return root.run_outside(VERIFY, env)


@pytest.mark.parametrize("apt_format", ["deb822", "list"])
@pytest.mark.parametrize(("family", "release"), [("debian", "bookworm"), ("ubuntu", "noble")])
def test_apt_itself_reads_the_sources_of_the_site(prepared: Any, family: str, release: str, apt_format: str) -> None:
    env = {"DIB_INTERNAL_MIRRORS_APT_FORMAT": apt_format}
    root = finish(prepared(family, env=env), env)
    root.write("/var/lib/dpkg/status", "")
    shown = "$(SITE) $(RELEASE) $(COMPONENT)"
    targets = ask(root, f"apt-get --no-release-info indextargets --format '{shown}' 'Architecture: amd64'")
    assert sorted(set(targets)) == [
        f"https://mirror.internal/debian {release} main",
        f"https://mirror.internal/debian {release}-updates main",
        f"https://mirror.internal/debian-security {release}-security main",
    ]
    (source,) = root.path.glob("etc/apt/sources.list*/*")
    assert f"/{source.relative_to(root.path)}" == (DEB822 if apt_format == "deb822" else ONE_LINE)


@pytest.mark.parametrize("apt_format", ["deb822", "list"])
def test_every_apt_source_names_its_key(prepared: Any, apt_format: str) -> None:
    env = {"DIB_INTERNAL_MIRRORS_APT_FORMAT": apt_format}
    entries = [
        {"uri": "https://mirror.internal/a", "suites": ["a"], "signed_by": KEYS["debian"]},
        {"uri": "https://mirror.internal/b", "suites": ["b"], "signed_by": "/etc/apt/trusted.gpg.d/own.gpg"},
    ]
    root = prepared(site=apt_site(*entries), env=env)
    root.write("/etc/apt/trusted.gpg.d/own.gpg", "a key")
    finish(root, env)
    if apt_format == "deb822":
        stanzas = [dict(stanza) for stanza in Deb822.iter_paragraphs(root.read(DEB822), use_apt_pkg=False)]
        assert [(stanza["Suites"], stanza["Signed-By"]) for stanza in stanzas] == [
            ("a", KEYS["debian"]),
            ("b", "/etc/apt/trusted.gpg.d/own.gpg"),
        ]
    else:
        assert root.read(ONE_LINE).splitlines()[1:] == [
            f"deb [signed-by={KEYS['debian']}] https://mirror.internal/a a main",
            "deb [signed-by=/etc/apt/trusted.gpg.d/own.gpg] https://mirror.internal/b b main",
        ]


def test_dnf_itself_reads_the_repository_with_verification_on(prepared: Any) -> None:
    root = finish(prepared("redhat"))
    script = (
        "import dnf\nbase = dnf.Base()\nbase.conf.read()\nbase.conf.substitutions['releasever'] = '9'\n"
        "base.read_all_repos()\nfor repo in base.repos.all():\n"
        "    print(repo.id, repo.enabled, list(repo.baseurl), repo.gpgcheck, repo.sslverify, list(repo.gpgkey))\n"
    )
    (repo,) = ask(root, f'/usr/bin/python3 -c "{script}"')
    assert repo == (
        "baseos True ['https://mirror.internal/rocky/9/BaseOS/x86_64/os/'] True True "
        "['file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9']"
    )


def test_zypper_itself_reads_the_repository_with_verification_on(prepared: Any) -> None:
    root = finish(prepared("suse"))
    listed = ask(root, "zypper --no-refresh --releasever 15.6 --xmlout repos")
    (repo,) = [line for line in listed if "<repo " in line]
    assert 'alias="oss"' in repo
    assert 'enabled="1"' in repo
    assert 'gpgcheck="1"' in repo
    assert "<url>https://mirror.internal/leap/15.6/oss/</url>" in "".join(listed)


@pytest.mark.parametrize("family", ["redhat", "suse"])
@pytest.mark.parametrize(("word", "line"), [(None, None), (True, "1"), (False, "0")])
def test_signature_of_metadata_is_left_to_the_site(
    prepared: Any, family: str, word: bool | None, line: str | None
) -> None:
    section = {"redhat": "dnf", "suse": "zypper"}[family]
    entry = {**SITE["mirrors"][section][0], **({} if word is None else {"repo_gpgcheck": word})}
    root = finish(prepared(family, {"version": 1, "mirrors": {section: [entry]}}))
    path = {"redhat": "/etc/yum.repos.d/internal-mirrors.repo", "suse": "/etc/zypp/repos.d/oss.repo"}[family]
    parsed = configparser.RawConfigParser()
    parsed.read_string(root.read(path))
    assert parsed[entry["id"]].get("repo_gpgcheck") == line
    assert parsed[entry["id"]]["gpgcheck"] == "1"


def test_pip_itself_uses_the_index_from_pre_install_on(prepared: Any) -> None:
    root = prepared()
    root.run_twice(EARLY)
    assert ask(root, "/usr/bin/python3 -m pip config list") == [
        "global.index-url='https://mirror.internal/pypi/simple'"
    ]


def test_other_settings_of_pip_survive(prepared: Any) -> None:
    root = prepared()
    root.write(
        "/etc/pip.conf", "[install]\ncompile = no\n[global]\ncert = /ca\nextra-index-url =\n  https://a\n  https://b\n"
    )
    run = root.run_inside(EARLY)
    assert run.ok, run.log
    assert sorted(ask(finish(root), "/usr/bin/python3 -m pip config list")) == [
        "global.cert='/ca'",
        "global.index-url='https://mirror.internal/pypi/simple'",
        "install.compile='no'",
    ]


def test_pip_without_tls_trusts_that_host_only(prepared: Any) -> None:
    index = {"index_url": "http://mirror.internal:8080/pypi", "allow_plain_http": True}
    root = prepared(site={"version": 1, "mirrors": {"pip": index}})
    root.run_twice(EARLY)
    assert "trusted-host = mirror.internal:8080\n" in root.read("/etc/pip.conf")


def test_npm_has_the_registry_and_other_settings_survive(prepared: Any) -> None:
    root = prepared()
    root.hide("/usr/etc/npmrc")
    root.write("/etc/npmrc", "cafile=/ca\nregistry = https://elsewhere.internal/\n")
    root.run_twice(EARLY)
    assert root.read("/etc/npmrc") == "registry=https://mirror.internal/npm/\ncafile=/ca\n"
    assert (root.path / "usr/etc/npmrc").readlink() == Path("/etc/npmrc")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this host")
def test_npm_itself_uses_the_registry(prepared: Any) -> None:
    root = prepared()
    root.hide("/usr/etc/npmrc")
    root.run_twice(EARLY)
    assert ask(root, "PATH=/usr/bin:/bin npm config get registry 2> /dev/null") == ["https://mirror.internal/npm/"]


def test_without_pip_and_npm_in_the_site_their_files_are_not_made(prepared: Any) -> None:
    root = finish(prepared(site=apt_site({"uri": "https://mirror.internal/debian"})))
    assert not root.exists("/etc/pip.conf")
    assert not root.exists("/etc/npmrc")


@pytest.mark.parametrize("family", ["debian", "ubuntu", "redhat", "suse"])
def test_finishing_twice_changes_nothing(prepared: Any, family: str) -> None:
    root = finish(prepared(family))
    first = root.tree()
    assert finish(root).tree() == first


def test_files_of_the_image_are_readable_whatever_the_umask_of_the_builder(prepared: Any) -> None:
    previous = os.umask(0o077)
    try:
        root = finish(prepared("suse"))
    finally:
        os.umask(previous)
    assert root.mode("/etc/zypp/repos.d") == 0o755
    assert root.mode("/etc/zypp/repos.d/oss.repo") == 0o644


def test_sources_of_the_build_are_replaced(prepared: Any) -> None:
    root = prepared()
    for name in ("sources.list", "sources.list.d/default.list", "sources.list.d/old.sources"):
        root.write(f"/etc/apt/{name}", "deb https://build-mirror.internal/debian bookworm main\n")
    finish(root)
    assert [path for path in root.tree() if path.startswith("/etc/apt/sources.list")] == [
        "/etc/apt/sources.list.d",
        DEB822,
    ]


def test_repository_files_of_packages_are_emptied_so_that_updates_do_not_bring_them_back(prepared: Any) -> None:
    root = prepared("redhat")
    root.write("/etc/yum.repos.d/centos.repo", "[baseos]\nbaseurl=https://build-mirror.internal/\n")
    finish(root)
    assert root.read("/etc/yum.repos.d/centos.repo").startswith("# Emptied by internal-mirrors")


@pytest.mark.parametrize("family", ["debian", "redhat", "suse"])
def test_image_has_no_sources_if_the_site_has_none(prepared: Any, family: str) -> None:
    path = {
        "debian": "/etc/apt/sources.list",
        "redhat": "/etc/yum.repos.d/dist.repo",
        "suse": "/etc/zypp/repos.d/dist.repo",
    }[family]
    root = prepared(family, None)
    root.write(path, "https://build-mirror.internal/\n")
    finish(root)
    assert not root.exists(path) or root.read(path).startswith("# ")


def test_sources_of_the_build_stay_if_asked_and_the_site_has_none(prepared: Any) -> None:
    keep = {"DIB_INTERNAL_MIRRORS_KEEP_BUILD": "1"}
    root = prepared(site=None, env=keep)
    root.write("/etc/apt/sources.list", "deb https://build-mirror.internal/debian bookworm main\n")
    finish(root, keep)
    assert "build-mirror" in root.read("/etc/apt/sources.list")


def test_sources_of_the_site_count_even_if_those_of_the_build_may_stay(prepared: Any) -> None:
    keep = {"DIB_INTERNAL_MIRRORS_KEEP_BUILD": "1"}
    root = prepared(env=keep)
    root.write("/etc/apt/sources.list", "deb https://build-mirror.internal/debian bookworm main\n")
    assert not finish(root, keep).exists("/etc/apt/sources.list")


def test_password_must_go_even_if_the_sources_may_stay(prepared: Any) -> None:
    env = {"DIB_INTERNAL_MIRRORS_KEEP_BUILD": "1", "DIB_DISTRIBUTION_MIRROR": "https://bob:hunter22@b.internal/debian"}
    root = prepared(site=None, env=env)
    root.write("/etc/apt/sources.list", "# line\ndeb https://bob:hunter22@b.internal/debian bookworm main\n")
    run = verify(root, env)
    assert run.status != 0
    (line,) = run.output.splitlines()
    assert line.startswith("ERROR: internal-mirrors: /etc/apt/sources.list:2: holds a password of the build (DIB_")
    assert "hunter22" not in line


def test_proxies_of_the_build_are_removed(prepared: Any) -> None:
    root = prepared()
    root.write("/etc/apt/apt.conf.d/02-use-http-proxy", 'Acquire::http::Proxy "http://proxy.internal:3128";\n')
    root.write("/etc/apt/apt.conf.d/10-mixed", 'APT::Color "0";\nAcquire::https::Proxy "http://proxy.internal:3128";\n')
    finish(root, {"http_proxy": "http://proxy.internal:3128"})
    assert not root.exists("/etc/apt/apt.conf.d/02-use-http-proxy")
    assert root.read("/etc/apt/apt.conf.d/10-mixed") == 'APT::Color "0";\n'


def test_proxy_of_dnf_is_removed(prepared: Any) -> None:
    root = prepared("redhat")
    root.write("/etc/dnf/dnf.conf", "[main]\nproxy=http://proxy.internal:3128\nproxy_password=secret1\nbest=True\n")
    finish(root, {"http_proxy": "http://proxy.internal:3128"})
    assert root.read("/etc/dnf/dnf.conf") == "[main]\nbest=True\n"


def test_proxy_of_suse_is_removed(prepared: Any) -> None:
    root = prepared("suse")
    root.write("/etc/sysconfig/proxy", 'PROXY_ENABLED="yes"\nHTTP_PROXY="http://proxy.internal:3128"\nNO_PROXY="a"\n')
    finish(root, {"http_proxy": "http://proxy.internal:3128"})
    assert root.read("/etc/sysconfig/proxy") == 'PROXY_ENABLED="no"\nHTTP_PROXY=""\nNO_PROXY="a"\n'


@pytest.mark.parametrize(
    "path",
    [
        "/etc/apt/auth.conf", "/etc/apt/auth.conf.d/90-mirror.conf", "/root/.pip/pip.conf", "/root/.npmrc",
        "/root/.config/pip/pip.conf", "/root/.cache/pip/x", "/root/.npm/_logs/x.log", "/var/cache/apt/pkgcache.bin",
        "/var/lib/apt/lists/build-mirror.internal_debian_dists_bookworm_InRelease",
        "/etc/dib-manifests/dib_environment",
    ],
)  # fmt: skip
def test_leftover_of_the_build_is_removed(prepared: Any, path: str) -> None:
    root = prepared()
    root.write(path, "https://build-mirror.internal/debian\n")
    assert not finish(root).exists(path)


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"DIB_DISTRIBUTION_MIRROR": "https://b.internal/debian"}, "see https://B.internal/other\n"),
        ({"DIB_DEBIAN_SECURITY_MIRROR": "https://b.internal:8443/"}, "b.internal\n"),
        (
            {"DIB_APT_SOURCES_CONF": "a:deb [x=y] https://a.internal/ s m\nb:deb https://b.internal s m"},
            "b.internal:80",
        ),
        ({"DIB_PYPI_MIRROR_URL_1": "https://[fd00::1]/simple"}, "url=https://[fd00::1]/"),
        ({"http_proxy": "http://b.internal:3128"}, "proxy = b.internal:3128\n"),
        ({"HTTPS_PROXY": "b.internal:3128"}, "b.internal\n"),
        ({"https_proxy": "http://squid:3128/"}, "proxy squid:3128\n"),
        ({"DIB_DISTRIBUTION_MIRROR": "http://mirror/debian"}, "deb http://mirror/debian\n"),
        ({"http_proxy": "http://localhost:3142"}, "localhost:3142\n"),
        ({"PIP_INDEX_URL": "https://bob:s3@mirror.internal/simple"}, "https://bob:s3@mirror.internal/"),
        ({"PIP_INDEX_URL": "https://token-1@mirror.internal/simple"}, "https://token-1@mirror.internal/"),
        ({"NPM_CONFIG_REGISTRY": "https://bob:hun%21ter@mirror.internal/"}, "machine x password hun!ter\n"),
        (
            {"NPM_CONFIG_REGISTRY": "https://bob:hunter22@mirror.internal/"},
            f"_auth={base64.b64encode(b'bob:hunter22').decode()}\n",
        ),
    ],
)
def test_trace_of_the_build_fails_it(prepared: Any, env: dict[str, str], text: str) -> None:
    root = prepared()
    root.write("/etc/thing.conf", f"first line\n{text}")
    run = verify(root, env)
    assert run.status != 0
    (line,) = run.output.splitlines()
    assert line.startswith("ERROR: internal-mirrors: /etc/thing.conf:2: holds ")
    assert next(iter(env)) in line


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"DIB_DISTRIBUTION_MIRROR": "https://mirror.internal/build"}, "https://mirror.internal/debian"),
        ({"DIB_DISTRIBUTION_MIRROR": "https://cache.internal/"}, "https://cache.internal:5000/"),
        ({"DIB_DISTRIBUTION_MIRROR": "https://b.internal/"}, "https://ab.internal/ https://b.internal.org b-internal"),
        ({"DIB_DISTRIBUTION_MIRROR": "http://mirror/debian"}, "a mirror of mirrors, http://mirrors/"),
        ({"http_proxy": "http://localhost:3142"}, "127.0.0.1 localhost\n"),
        ({"no_proxy": "b.internal"}, "b.internal"),
        ({"DIB_RELEASE_NOTES": "https://b.internal/"}, "b.internal"),
    ],
)
def test_what_only_looks_like_a_trace_passes(prepared: Any, env: dict[str, str], text: str) -> None:
    root = prepared()
    root.write("/etc/thing.conf", text)
    run = verify(root, env)
    assert run.ok, run.log


def test_word_of_the_site_that_is_no_host_excuses_nothing(prepared: Any) -> None:
    site = {"version": 1, "mirrors": {"dnf": [{**SITE["mirrors"]["dnf"][0], "id": "mirror"}]}}
    root = prepared("redhat", site)
    root.write("/etc/thing.conf", "http://mirror/rocky\n")
    assert verify(root, {"DIB_DISTRIBUTION_MIRROR": "http://mirror/rocky"}).status != 0


@pytest.mark.parametrize("area", ["etc", "root", "home/zuul", "usr/local/etc", "var/lib/apt/lists", "opt/x"])
def test_traces_are_looked_for_in_names_and_in_unreadable_places(prepared: Any, area: str) -> None:
    root = prepared()
    root.write(f"/{area}/b.internal_dists", "x", 0o000)
    run = verify(root, {"DIB_DISTRIBUTION_MIRROR": "https://b.internal/"})
    assert run.status != 0
    assert f"/{area}/b.internal_dists: the name holds the build's mirror" in run.output


@pytest.mark.parametrize("link", ["etc/link", "opt"])
def test_link_out_of_the_image_is_not_followed(prepared: Any, tmp_path: Path, link: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("b.internal")
    root = prepared()
    if link == "opt":
        (root.path / link).rmdir()
    (root.path / link).symlink_to(tmp_path / "host")
    run = verify(root, {"DIB_DISTRIBUTION_MIRROR": "https://b.internal/"})
    assert run.ok, run.log


def conffile(root: FakeRoot, text: str) -> None:
    """Give the root a configuration file that its package wrote: ``text``."""
    digest = hashlib.md5(text.encode()).hexdigest()
    root.write("/etc/thing.conf", text)
    root.write(
        "/var/lib/dpkg/status", f"Package: thing\nStatus: install ok installed\nConffiles:\n /etc/thing.conf {digest}\n"
    )


def test_unchanged_configuration_file_of_a_package_is_not_of_the_build(prepared: Any) -> None:
    root = prepared()
    conffile(root, "see https://b.internal/\n")
    run = verify(root, {"DIB_DISTRIBUTION_MIRROR": "https://b.internal/"})
    assert run.ok, run.log


def test_changed_configuration_file_of_a_package_is_searched(prepared: Any) -> None:
    root = prepared()
    conffile(root, "see nobody\n")
    root.write("/etc/thing.conf", "see https://b.internal/\n")
    run = verify(root, {"DIB_DISTRIBUTION_MIRROR": "https://b.internal/"})
    assert "/etc/thing.conf:1: holds the build's mirror" in run.output


@pytest.mark.parametrize("site", [SITE, None])
def test_cloud_init_leaves_the_sources_alone(prepared: Any, site: dict[str, Any] | None) -> None:
    root = prepared(site=site)
    (root.path / "etc/cloud/cloud.cfg.d").mkdir(parents=True)
    settings = yaml.safe_load(finish(root).read("/etc/cloud/cloud.cfg.d/90_internal-mirrors.cfg"))
    assert settings == {"apt": {"preserve_sources_list": True}}


def test_repository_files_that_the_build_was_given_tell_their_hosts(prepared: Any, tmp_path: Path) -> None:
    repos = tmp_path / "repos"
    repos.mkdir()
    (repos / "dib-mirror.repo").write_text("[a]\nbaseurl=https://b.internal/\n")
    root = prepared("redhat")
    root.write("/etc/thing.conf", "b.internal")
    run = verify(root, {"DIB_YUM_MINIMAL_BOOTSTRAP_REPOS": str(repos)})
    assert run.status != 0
    assert "(DIB_YUM_MINIMAL_BOOTSTRAP_REPOS)" in run.output


@pytest.mark.parametrize("family", KEYS)
def test_key_that_is_not_in_the_image_fails_the_build(prepared: Any, family: str) -> None:
    root = prepared(family)
    root.path.joinpath(KEYS[family][1:]).unlink()
    root.hide(KEYS[family])
    run = root.run_outside(FINAL)
    assert run.status != 0
    assert f"ERROR: internal-mirrors: {KEYS[family]} is not in the image" in run.output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DIB_INTERNAL_MIRRORS_APT_FORMAT", "rfc822", "it must be deb822 or list"),
        ("DIB_INTERNAL_MIRRORS_KEEP_BUILD", "yes", "it must be 0 or 1"),
    ],
)
def test_bad_setting_is_refused_in_one_line(fake_root: MakeRoot, variable: str, value: str, reason: str) -> None:
    root = fake_root(ELEMENT)
    bake_site(root)
    run = root.run_outside(RENDER, {variable: value})
    assert run.status != 0
    assert [line for line in run.output.splitlines() if "ERROR" in line] == [
        f"ERROR: {'internal-mirrors: ' if 'APT' in variable else ''}{variable} is '{value}'; {reason}"
    ]


def test_unknown_distribution_is_refused(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake_site(root)
    root.hooks.joinpath("environment.d/99-other").write_text("export DISTRO_NAME=plan9\n")
    run = root.run_outside(RENDER)
    assert run.status != 0
    assert "DISTRO_NAME is 'plan9'; known: almalinux, centos" in run.output


def test_repository_files_can_be_made_before_a_build(tmp_path: Path) -> None:
    """As the README tells for DIB_YUM_MINIMAL_BOOTSTRAP_REPOS."""
    site = write_site(tmp_path, SITE)["DIB_AIRGAP_SITE"]
    tools = [ELEMENTS / "airgap-site/airgap-site/airgap-site", ELEMENTS / ELEMENT / ELEMENT / "render"]
    python = ["/usr/bin/python3", "-B"]
    shown = subprocess.check_output([*python, tools[0], "--json", "--distribution", "rocky", "--release", "9", site])
    (tmp_path / "site.json").write_bytes(shown)
    subprocess.run([*python, tools[1], tmp_path / "site.json", "rocky", "deb822", tmp_path / "out"], check=True)
    (repo,) = (tmp_path / "out/files/etc/yum.repos.d").iterdir()
    assert "baseurl=https://mirror.internal/rocky/" in repo.read_text()


def test_no_password_of_the_environment_reaches_the_log_of_a_traced_build(prepared: Any) -> None:
    root = prepared()
    env = {"http_proxy": "http://bob:hunter22@proxy.internal:3128", "DIB_DEBUG_TRACE": "1"}
    for hook in (FINAL, VERIFY):
        run = root.run_outside(hook, env)
        assert run.ok, run.log
        assert "hunter22" not in run.log


def test_nothing_but_the_lines_of_the_site_is_handed_to_the_image(prepared: Any) -> None:
    """The folder is copied into the image's /tmp for a moment."""
    root = prepared()
    handed = {path.name for path in (root.hooks / ELEMENT).iterdir()}
    assert handed == {
        "build_traces.py", "files", "has-sources", "keys", "leftovers", "mirror_files.py", "npm-lines", "pip-lines",
        "render", "settings", "sources",
    }  # fmt: skip
    finish(root)
    assert not root.exists("/tmp/internal-mirrors")
    assert json.loads((root.hooks / "airgap-site/site.json").read_text())["version"] == 1

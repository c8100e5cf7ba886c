import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts import collect, dump, known, replay
from diskimage_validator.facts.ca_settings import CaSetting, CaSettings
from diskimage_validator.facts.ca_sources.environment import FILES, HOME_FILES
from diskimage_validator.facts.ca_sources.variables import VARIABLES, Switches
from tests.support import images, pki
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine

BUNDLE = images.BUNDLE
Seen = tuple[str, str, int, str, str]
"""Subject, path, line, effect and value."""


def read(tree: dict[str, Entry]) -> CaSettings:
    with MemoryEngine(tree) as engine:
        found = collect(engine, only=["ca_settings"])
    assert replay(json.dumps(dump(found))) == found
    return known(found.ca_settings)


def seen(tree: dict[str, Entry]) -> list[Seen]:
    return [_seen(setting) for setting in read(tree).settings]


def _seen(setting: CaSetting) -> Seen:
    return (setting.subject, setting.path, setting.line, setting.effect, setting.value)


@pytest.mark.parametrize("path", [*FILES, *(f"/home/zuul/{name}" for name in HOME_FILES), "/root/.bashrc"])
def test_variables_are_read_from_files_of_the_system_and_of_users(path: str) -> None:
    assert seen({path: "# a comment\nexport SSL_CERT_FILE=/ca.pem\n"}) == [
        ("SSL_CERT_FILE", path, 2, "replaces", "/ca.pem")
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/environment.d/10-ca.conf",
        "/usr/lib/environment.d/10-ca.conf",
        "/etc/profile.d/ca.sh",
        "/etc/default/docker",
        "/etc/sysconfig/docker",
        "/etc/cron.d/sync",
        "/var/spool/cron/crontabs/zuul",
        "/var/spool/cron/zuul",
        "/home/zuul/.config/environment.d/ca.conf",
    ],
)
def test_variables_are_read_from_folders(path: str) -> None:
    assert seen({path: 'GIT_SSL_NO_VERIFY="false"\n'}) == [("GIT_SSL_NO_VERIFY", path, 1, "off", "")]


def test_a_csh_script_and_pam_have_words_of_their_own() -> None:
    tree: dict[str, Entry] = {
        "/etc/profile.d/ca.csh": "setenv SSL_CERT_FILE /ca.pem\n",
        "/etc/security/pam_env.conf": '#\nREQUESTS_CA_BUNDLE DEFAULT="/ca.pem"\n'
        "PIP_CERT  DEFAULT= OVERRIDE=@{HOME}/x\n",
    }
    assert seen(tree) == [
        ("SSL_CERT_FILE", "/etc/profile.d/ca.csh", 1, "replaces", "/ca.pem"),
        ("REQUESTS_CA_BUNDLE", "/etc/security/pam_env.conf", 2, "replaces", "/ca.pem"),
        ("PIP_CERT", "/etc/security/pam_env.conf", 3, "replaces", "@{HOME}/x"),
    ]


def test_systemd_tells_services() -> None:
    drop_in = '[Service]\nEnvironment="SSL_CERT_FILE=/a b.pem" \\\n  PIP_CERT=/c.pem\nEnvironmentFile=-/srv/env.*\n'
    tree: dict[str, Entry] = {
        "/etc/systemd/system.conf.d/10.conf": "[Manager]\nDefaultEnvironment=SSL_CERT_FILE=/ca.pem\n",
        "/etc/systemd/system/docker.service.d/10.conf": drop_in,
        "/usr/lib/systemd/system/docker.service.d/10.conf": "[Service]\nEnvironment=PIP_CERT=/hidden.pem\n",
        "/usr/lib/systemd/system/docker.service.d/20.conf": "[Service]\nEnvironment=AWS_CA_BUNDLE=%h/ca.pem\n",
        "/usr/lib/systemd/user/agent.service": "[Service]\nEnvironment=GOINSECURE=*\n",
        "/srv/env.d1": "NODE_TLS_REJECT_UNAUTHORIZED=0\n",
        "/srv/other": "NODE_TLS_REJECT_UNAUTHORIZED=0\n",
    }
    system = "/etc/systemd/system"
    assert sorted(seen(tree)) == [
        ("AWS_CA_BUNDLE", "/usr/lib/systemd/system/docker.service.d/20.conf", 2, "replaces", "%h/ca.pem"),
        ("GOINSECURE", "/usr/lib/systemd/user/agent.service", 2, "off", ""),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "/srv/env.d1", 1, "off", ""),
        ("PIP_CERT", f"{system}/docker.service.d/10.conf", 2, "replaces", "/c.pem"),
        ("SSL_CERT_FILE", f"{system}.conf.d/10.conf", 2, "replaces", "/ca.pem"),
        ("SSL_CERT_FILE", f"{system}/docker.service.d/10.conf", 2, "replaces", "/a b.pem"),
    ]


def test_a_link_to_a_file_that_was_read_says_nothing_new() -> None:
    tree: dict[str, Entry] = {
        "/etc/environment": "PIP_CERT=/ca.pem\n",
        "/usr/lib/environment.d/99-environment.conf": Link("../../../etc/environment"),
    }
    assert [setting.path for setting in read(tree).settings] == ["/etc/environment"]


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("GIT_SSL_NO_VERIFY=", "off"),
        ("GIT_SSL_NO_VERIFY=$X", "off"),
        ("NODE_TLS_REJECT_UNAUTHORIZED=0", "off"),
        ("NODE_TLS_REJECT_UNAUTHORIZED=1", None),
        ("PYTHONHTTPSVERIFY=0", "off"),
        ("PYTHONHTTPSVERIFY=1", None),
        ("REQUESTS_CA_BUNDLE=", "off"),
        ("CURL_CA_BUNDLE=''", "off"),
        ("SSL_CERT_FILE=", None),
        ("npm_config_strict_ssl=false", "off"),
        ("NPM_CONFIG_STRICT_SSL=true", None),
        ("PIP_TRUSTED_HOST=mirror.internal", "off"),
        ("PIP_TRUSTED_HOST=", None),
        ("CONDA_SSL_VERIFY=false", "off"),
        ("CONDA_SSL_VERIFY=true", None),
        ("CONDA_SSL_VERIFY=/ca.pem", "replaces"),
        ("NODE_EXTRA_CA_CERTS=/ca.pem", "adds"),
        ("npm_config_cafile=/ca.pem", "replaces"),
        ("SSL_CERT_FILES=/ca.pem", None),
        ("ssl_cert_file=/ca.pem", None),
    ],
)
def test_each_variable_has_its_meaning(line: str, effect: str | None) -> None:
    found = read({"/etc/environment": f"{line}\n"}).settings
    assert [setting.effect for setting in found] == ([effect] if effect else [])


def test_switches_say_what_they_do_and_never_their_value() -> None:
    for name, meaning in VARIABLES.items():
        if isinstance(meaning, Switches):
            for value in ("0", "true", "false", "host"):
                for setting in read({"/etc/environment": f"{name}={value}\n"}).settings:
                    assert setting.consequence
                    assert setting.value == ""


GIT = """\
[http]
	sslVerify = off
	sslCAInfo = ~/ca.pem
[http "https://git.internal/"]
	sslverify
	sslCAPath = /etc/ssl/certs
[include]
	path = more
[includeIf "gitdir:/x"]
	path = .gitconfig
"""


def test_git() -> None:
    tree: dict[str, Entry] = {
        "/home/zuul/.gitconfig": GIT,
        "/home/zuul/more": '[http "x"]\nsslVerify = 0\n[include]\npath = more\n',
        "/etc/gitconfig": "[http]\nsslVerify = true\n",
    }
    assert seen(tree) == [
        ("git http.sslverify", "/home/zuul/.gitconfig", 2, "off", ""),
        ("git http.sslcainfo", "/home/zuul/.gitconfig", 3, "replaces", "~/ca.pem"),
        ("git http.https://git.internal/.sslcapath", "/home/zuul/.gitconfig", 6, "replaces", "/etc/ssl/certs"),
        ("git http.x.sslverify", "/home/zuul/more", 2, "off", ""),
    ]
    assert read(tree).settings[1].targets == ("/home/zuul/ca.pem",)


def test_files_of_git_that_include_each_other_end() -> None:
    includes = "".join(f"[include]\npath = {number % 3}\n" for number in range(1_000))
    tree: dict[str, Entry] = {f"/root/{name}": includes for name in ("0", "1", "2", ".gitconfig")}
    assert read(tree).files == 4


def test_curl() -> None:
    text = "# -k\n-k\n--insecure\ninsecure\nproxy-insecure\n-sSk\n-o k\n"
    text += 'cacert = "/ca.pem"\n--capath: /certs\nno-insecure\n'
    assert seen({"/root/.curlrc": text}) == [
        ("curl insecure", "/root/.curlrc", 2, "off", ""),
        ("curl insecure", "/root/.curlrc", 3, "off", ""),
        ("curl insecure", "/root/.curlrc", 4, "off", ""),
        ("curl proxy-insecure", "/root/.curlrc", 5, "off", ""),
        ("curl insecure", "/root/.curlrc", 6, "off", ""),
        ("curl cacert", "/root/.curlrc", 8, "replaces", "/ca.pem"),
        ("curl capath", "/root/.curlrc", 9, "replaces", "/certs"),
    ]


def test_wget() -> None:
    text = "check_certificate = on\nCheck-Certificate=off\ncheckcertificate = quiet\n"
    text += "ca_certificate = /ca.pem\n#ca_directory=/x"
    assert seen({"/etc/wgetrc": text, "/home/zuul/.wgetrc": "ca_directory = ~/certs"}) == [
        ("wget check_certificate", "/etc/wgetrc", 2, "off", ""),
        ("wget check_certificate", "/etc/wgetrc", 3, "off", ""),
        ("wget ca_certificate", "/etc/wgetrc", 4, "replaces", "/ca.pem"),
        ("wget ca_directory", "/home/zuul/.wgetrc", 1, "replaces", "~/certs"),
    ]


def test_pip_npm_and_conda() -> None:
    tree: dict[str, Entry] = {
        "/etc/pip.conf": "[global]\nindex-url = https://mirror.internal/simple\ncert = /ca.pem\n",
        "/root/.npmrc": 'cafile="/ca.pem"\nca=null\n; cafile=/x\n',
        "/home/zuul/.npmrc": "cafile=${HOME}/ca.pem\n",
        "/etc/conda/.condarc": "channels: []\nssl_verify: false\n",
        "/root/.condarc": "ssl_verify: /ca.pem\n",
        "/home/zuul/.condarc": "ssl_verify: truststore\n",
    }
    assert seen(tree) == [
        ("pip cert", "/etc/pip.conf", 3, "replaces", "/ca.pem"),
        ("npm cafile", "/root/.npmrc", 1, "replaces", "/ca.pem"),
        ("npm cafile", "/home/zuul/.npmrc", 1, "replaces", "${HOME}/ca.pem"),
        ("conda ssl_verify", "/etc/conda/.condarc", 2, "off", ""),
        ("conda ssl_verify", "/root/.condarc", 1, "replaces", "/ca.pem"),
    ]
    assert read(tree).settings[2].targets == ("/home/zuul/ca.pem",)


def test_places_are_read_inside_the_image() -> None:
    ca = pki.certificate("Internal CA")
    tree: dict[str, Entry] = {
        "/etc/environment": "PIP_CERT=/link.pem\nSSL_CERT_DIR=/certs:/none\nAWS_CA_BUNDLE=/dev/null\nOS_CACERT=x.pem\n",
        "/link.pem": Link("../../real.pem"),
        "/real.pem": pki.pem(ca) + pki.pem(ca),
        "/certs/0123abcd.0": Link("../real.pem"),
        "/certs/other.pem": pki.pem(pki.certificate("Not linked")),
        "/certs/0123abcd.1": Link("nowhere"),
    }
    found = read(tree)
    assert found.places["/link.pem"].real == "/real.pem"
    assert found.places["/link.pem"].certificates == (pki.sha256(ca),)
    assert found.places["/certs"].kind == "directory"
    assert found.places["/certs"].certificates == (pki.sha256(ca),)
    assert found.places["/none"].kind == "missing"
    assert found.places["/dev/null"].kind == "missing"
    assert [setting.unknown for setting in found.settings] == ["", "", "", "it depends on the working directory"]


def test_what_cannot_be_read_is_trouble_and_hides_nothing() -> None:
    tree: dict[str, Entry] = {
        "/etc/environment": Broken(),
        "/root/.gitconfig": "[http\n",
        "/root/.condarc": "a: [\n",
        "/etc/pip.conf": "[global]\ncert = /broken.pem\n",
        "/etc/xdg/pip/pip.conf": "cert = /x\n",
        "/broken.pem": Broken(),
        "/etc/profile": "PIP_CERT=/x\n" * 600,
        "/etc/bashrc": Link("bashrc"),
    }
    found = read(tree)
    assert {trouble.path for trouble in found.troubles} == {
        "/etc/environment",
        "/root/.gitconfig",
        "/root/.condarc",
        "/etc/xdg/pip/pip.conf",
        "/etc/profile",
        "/etc/bashrc",
    }
    assert "Input/output error" in found.places["/broken.pem"].unreadable


PATHS = ["/etc/environment", "/etc/profile.d/a.sh", "/etc/gitconfig", "/root/.curlrc", "/etc/wgetrc", "/etc/pip.conf"]
PATHS += ["/root/.npmrc", "/root/.condarc", "/etc/security/pam_env.conf", "/etc/systemd/system.conf"]
WORDS = [
    "SSL_CERT_FILE=",
    "/etc/environment",
    "\n",
    " ",
    "[http]",
    "[Manager]\n",
    "DefaultEnvironment=",
    "sslCAInfo=",
    "$",
    "'",
]
WORDS += [
    '"',
    "\\",
    "\0",
    "insecure",
    "ca_certificate=",
    "cert=",
    "ssl_verify: ",
    "cafile=",
    "~/",
    "\ud800",
    "é",
    "[",
    "#",
]


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.lists(st.sampled_from(WORDS), max_size=12)), max_size=4))
def test_any_content_ends_in_settings_or_trouble(files: list[tuple[str, list[str]]]) -> None:
    tree: dict[str, Entry] = {path: "".join(words).encode("utf-8", "surrogatepass") for path, words in files}
    found = read(tree)
    for setting, trouble in itertools.zip_longest(found.settings, found.troubles):
        assert setting is None or setting.path in tree
        assert trouble is None or trouble.path in tree


def test_a_password_in_a_section_of_git_is_not_kept(tree: dict[str, Entry]) -> None:
    tree["/etc/gitconfig"] = '[http "https://user:s3cret@git.internal"]\nsslVerify = false\n'
    with MemoryEngine(tree) as engine:
        found = collect(engine, only={"ca_settings"})
    text = str(dump(found)["ca_settings"])
    assert "git.internal" in text
    assert "s3cret" not in text

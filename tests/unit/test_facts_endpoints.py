"""What each kind of configuration tells of endpoints and switches, each file by the grammar of its own tool."""

import pytest

from diskimage_validator.facts.endpoints import Endpoints
from tests.support.asking import facts_of
from tests.support.memory_engine import Broken, Entry, Link

LIST = "/etc/apt/sources.list"
SOURCES = "/etc/apt/sources.list.d/site.sources"
APT = "/etc/apt/apt.conf.d/80site"
REPO = "/etc/yum.repos.d/site.repo"
DNF = "/etc/dnf/dnf.conf"
ZYPP = "/etc/zypp/repos.d/site.repo"
PIP = "/etc/pip.conf"
NPM = "/etc/npmrc"
GIT = "/etc/gitconfig"
DAEMON = "/etc/docker/daemon.json"
REGISTRIES = "/etc/containers/registries.conf"
BUILDKIT = "/etc/buildkit/buildkitd.toml"
TIMESYNCD = "/etc/systemd/timesyncd.conf"
UNIT = "/usr/lib/systemd/system"
WANTED = "/etc/systemd/system/sysinit.target.wants"


def read(tree: dict[str, Entry]) -> Endpoints:
    found = facts_of(tree).endpoints
    assert isinstance(found, Endpoints)
    return found


def hosts(tree: dict[str, Entry]) -> list[tuple[str, str, str, int]]:
    """Return (kind, host and port, path, line) of everything that is switched on."""
    return [(e.kind, e.address, e.path, e.line) for e in read(tree).endpoints if e.enabled]


def switches(tree: dict[str, Entry]) -> list[tuple[str, str, str, int]]:
    return [(s.kind, s.setting, s.path, s.line) for s in read(tree).switches]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (LIST, "# deb http://x.org/ a b\ndeb http://a.internal/debian bookworm main\n", [("apt", "a.internal", 2)]),
        (LIST, "deb-src [signed-by=/k arch=amd64] https://a.internal:81/ ./\n", [("apt", "a.internal:81", 1)]),
        (LIST, "deb file:///srv/debian bookworm main # x", [("apt", "", 1)]),
        (LIST, 'deb "cdrom:[Debian 12 a]/" bookworm main', [("apt", "", 1)]),
        (
            SOURCES,
            (
                "Types: deb\nURIs: http://a.internal/\n  http://b.internal/\n\n# c\nTypes: deb\nEnabled: no\n"
                "URIs: http://c.internal/\n"
            ),
            [("apt", "a.internal", 2), ("apt", "b.internal", 3)],
        ),
        (
            APT,
            'Acquire { http { Proxy "http://p.internal:3142"; Proxy::a.internal "DIRECT"; }; };',
            [("apt", "p.internal:3142", 1)],
        ),
        (APT, 'Binary::apt::Acquire::https::Proxy "http://p.internal:3142/";', [("apt", "p.internal:3142", 1)]),
        (
            REPO,
            "[a]\nbaseurl=http://a.internal/$basearch\n  http://b.internal/\nenabled=1\n",
            [("dnf", "a.internal", 2), ("dnf", "b.internal", 3)],
        ),
        (
            REPO,
            "[a]\nmetalink=http://a.internal/\n[b]\nenabled=0\nbaseurl=http://b.internal/\n",
            [("dnf", "a.internal", 2)],
        ),
        (
            REPO,
            (
                "[a]\nmirrorlist=http://a.internal/\ngpgkey=file:///etc/k\n  https://k.internal/k\n"
                "proxy=http://p.internal:1/\n"
            ),
            [("dnf", "a.internal", 2), ("dnf", "", 3), ("dnf", "k.internal", 4), ("dnf", "p.internal:1", 5)],
        ),
        (DNF, "[main]\nproxy=http://p.internal:3128\n", [("dnf", "p.internal:3128", 2)]),
        (
            ZYPP,
            "[a]\nbaseurl=https://a.internal/x?proxy=p.internal&proxyport=3128\n",
            [("zypper", "a.internal", 2), ("zypper", "p.internal:3128", 2)],
        ),
        (
            "/etc/zypp/services.d/x.service",
            "[x]\nurl=https://a.internal/ris\nenabled=1\n",
            [("zypper", "a.internal", 2)],
        ),
        (
            PIP,
            (
                "[global]\nindex-url = https://a.internal/simple\nextra_index_url =\n    https://b.internal/\n"
                "    https://c.internal/\n"
            ),
            [("pip", "a.internal", 2), ("pip", "b.internal", 4), ("pip", "c.internal", 5)],
        ),
        (
            "/root/.config/pip/pip.conf",
            "[install]\nfind-links = /srv/wheels https://a.internal/\nproxy=p.internal:1\n",
            [("pip", "", 2), ("pip", "a.internal", 2), ("pip", "p.internal:1", 3)],
        ),
        ("/home/zuul/.pip/pip.conf", "[download]\n--index-url: https://a.internal/\n", [("pip", "a.internal", 2)]),
        (
            NPM,
            "; c\nregistry=https://a.internal/npm/\n@team:registry = 'https://b.internal/'\nproxy=null\n",
            [("npm", "a.internal", 2), ("npm", "b.internal", 3)],
        ),
        (
            "/root/.npmrc",
            "https-proxy=http://p.internal:3128\n//a.internal/:_authToken=secret\n",
            [("npm", "p.internal:3128", 1)],
        ),
        ("/root/.yarnrc", 'registry "https://a.internal/"\n', [("npm", "a.internal", 1)]),
        (
            "/home/zuul/.yarnrc.yml",
            (
                "npmScopes:\n  team:\n    npmRegistryServer: https://b.internal/\n"
                "npmRegistryServer: 'https://a.internal/'\n"
            ),
            [("npm", "b.internal", 3), ("npm", "a.internal", 4)],
        ),
        (
            GIT,
            (
                '[url "https://a.internal/"]\n insteadOf = https://x.org/\n[remote "o"]\n'
                " url = git@b.internal:x\n[http]\n proxy = p.internal:1\n"
            ),
            [("git", "a.internal", 2), ("git", "b.internal", 4), ("git", "p.internal:1", 6)],
        ),
        (
            DAEMON,
            (
                '{"registry-mirrors": ["https://a.internal"],\n "dns": ["10.0.0.53"],\n'
                ' "proxies": {"https-proxy": "http://p.internal:1"}}'
            ),
            [("docker", "a.internal", 1), ("docker", "10.0.0.53", 2), ("docker", "p.internal:1", 3)],
        ),
        (
            BUILDKIT,
            (
                '[registry."x.org"]\nmirrors = ["a.internal:5000/x"]\n[registry."b.internal"]\n[dns]\n'
                'nameservers = ["10.0.0.53"]\n'
            ),
            [("buildkit", "a.internal:5000", 1), ("buildkit", "b.internal", 3), ("buildkit", "10.0.0.53", 5)],
        ),
        (
            "/etc/chrony.conf",
            "! c\nserver a.internal iburst\nPool b.internal\n#pool x.org\nmakestep 1 3\n",
            [("ntp", "a.internal", 2), ("ntp", "b.internal", 3)],
        ),
        ("/etc/ntpsec/ntp.conf", "pool -4 a.internal iburst # c\nrestrict x\n", [("ntp", "a.internal", 1)]),
        (
            "/etc/resolv.conf",
            "search internal\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\n",
            [("resolver", "10.0.0.53", 2), ("resolver", "fe80::1", 3)],
        ),
        (
            "/etc/dnsmasq.conf",
            (
                "#server=1.2.3.4\nserver=/internal/10.0.0.53#5353\nserver=10.0.0.54@eth0\nserver=/local/\n"
                "rev-server=10.0.0.0/8,fd00::1\n"
            ),
            [("resolver", "10.0.0.53:5353", 2), ("resolver", "10.0.0.54", 3), ("resolver", "fd00::1", 5)],
        ),
        (
            "/etc/systemd/network/10.network",
            "[Network]\nDNS=10.0.0.53\nNTP=a.internal\n",
            [("resolver", "10.0.0.53", 2), ("ntp", "a.internal", 3)],
        ),
        (
            "/etc/environment",
            'http_proxy="http://u:w@p.internal:1/"\nexport NO_PROXY=x\n',
            [("environment", "p.internal:1", 1)],
        ),
        (
            "/etc/environment",
            "PIP_INDEX_URL=https://a.internal/\nNPM_CONFIG_REGISTRY=https://b.internal/\n",
            [("pip", "a.internal", 1), ("npm", "b.internal", 2)],
        ),
        (
            "/etc/sysconfig/proxy",
            'HTTP_PROXY="http://p.internal:1"\nFTP_PROXY=""\n',
            [("environment", "p.internal:1", 1)],
        ),
        (
            "/etc/systemd/system/docker.service.d/p.conf",
            '[Service]\nEnvironment="HTTPS_PROXY=http://p.internal:1" A=b\n',
            [("environment", "p.internal:1", 2)],
        ),
        (
            "/etc/systemd/system.conf.d/p.conf",
            "[Manager]\nDefaultEnvironment=http_proxy=p.internal:1\n",
            [("environment", "p.internal:1", 2)],
        ),
    ],
)
def test_endpoints(path: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert hosts({path: text}) == [(kind, host, path, line) for kind, host, line in expected]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            APT,
            (
                'Acquire { https { Verify-Peer "false"; m.internal::Verify-Host "no"; }; };\n'
                'APT::Get::AllowUnauthenticated "1";\n'
            ),
            [
                ("apt", "Acquire::https::Verify-Peer", 1),
                ("apt", "Acquire::https::m.internal::Verify-Host", 1),
                ("apt", "APT::Get::AllowUnauthenticated", 2),
            ],
        ),
        (
            APT,
            (
                'acquire::AllowInsecureRepositories "yes";\n'
                'Acquire::AllowDowngradeToInsecureRepositories "on";\nAcquire::AllowWeakRepositories "true";'
            ),
            [
                ("apt", "acquire::AllowInsecureRepositories", 1),
                ("apt", "Acquire::AllowDowngradeToInsecureRepositories", 2),
                ("apt", "Acquire::AllowWeakRepositories", 3),
            ],
        ),
        (
            APT,
            (
                'Acquire::https::Verify-Peer "true"; // "false"\nAcquire::https::Verify-Host "false";\n'
                "#clear Acquire::https;\n"
            ),
            [],
        ),
        (
            APT,
            'Binary::apt::APT::Get::AllowUnauthenticated "true";',
            [("apt", "Binary::apt::APT::Get::AllowUnauthenticated", 1)],
        ),
        (
            LIST,
            (
                "deb [ trusted=yes ] http://a.internal/ x y\n"
                "deb [allow-insecure=yes arch=amd64] http://a.internal/ x y\n"
                "deb [trusted=no] http://a.internal/ x y"
            ),
            [("apt", "trusted=yes", 1), ("apt", "allow-insecure=yes", 2)],
        ),
        (
            SOURCES,
            "Types: deb\nURIs: http://a.internal/\nSuites: x\nTrusted: yes\nAllow-Downgrade-To-Insecure: yes\n",
            [("apt", "Trusted", 4), ("apt", "Allow-Downgrade-To-Insecure", 5)],
        ),
        (SOURCES, "Types: deb\nURIs: http://a.internal/\nTrusted: yes\nEnabled: no\n", []),
        (
            ZYPP,
            "[a]\nbaseurl=https://a.internal/?ssl_verify=no\ngpgcheck=0\n[b]\nenabled=0\ngpgcheck=0\n",
            [("zypper", "ssl_verify", 2), ("zypper", "gpgcheck", 3)],
        ),
        (
            "/etc/zypp/zypp.conf",
            "[main]\n# gpgcheck = off\nrepo_gpgcheck = off\npkg_gpgcheck = on\n",
            [("zypper", "repo_gpgcheck", 3)],
        ),
        (
            PIP,
            "[global]\ntrusted-host = a.internal\n    b.internal\n",
            [("pip", "trusted-host", 2), ("pip", "trusted-host", 3)],
        ),
        (NPM, "strict-ssl=false\n", [("npm", "strict-ssl", 1)]),
        (NPM, "strict-ssl = true\n# strict-ssl=false\n", []),
        ("/root/.yarnrc.yml", "enableStrictSsl: false\n", [("npm", "enableStrictSsl", 1)]),
        (GIT, '[http "https://a.internal"]\n sslVerify = off\n', [("git", "http.https://a.internal.sslverify", 2)]),
        (DAEMON, '{"insecure-registries":\n ["a.internal:5000"]}', [("docker", "insecure-registries", 2)]),
        (
            REGISTRIES,
            (
                '[[registry]]\nlocation = "a.internal"\ninsecure = true\n[[registry.mirror]]\n'
                'location = "b.internal"\ninsecure = true\n'
            ),
            [("containers", "insecure of b.internal", 4), ("containers", "insecure of a.internal", 1)],
        ),
        (REGISTRIES, '[[registry]]\nlocation = "a.internal"\ninsecure = true\nblocked = true\n', []),
        (
            BUILDKIT,
            '[registry."a.internal"]\nhttp = true\ninsecure = true\n',
            [("buildkit", "http of a.internal", 1), ("buildkit", "insecure of a.internal", 1)],
        ),
        (
            "/etc/environment",
            (
                "GIT_SSL_NO_VERIFY=true\nNODE_TLS_REJECT_UNAUTHORIZED=0\nPIP_TRUSTED_HOST=a.internal\n"
                "PYTHONHTTPSVERIFY=1\n"
            ),
            [
                ("environment", "GIT_SSL_NO_VERIFY", 1),
                ("environment", "NODE_TLS_REJECT_UNAUTHORIZED", 2),
                ("pip", "trusted-host", 3),
            ],
        ),
    ],
)
def test_switches(path: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert switches({path: text}) == [(kind, setting, path, line) for kind, setting, line in expected]


@pytest.mark.parametrize(
    ("main", "repository", "expected"),
    [
        ("gpgcheck=1", "", []),
        ("gpgcheck=1", "gpgcheck=0", [("gpgcheck", "0", 4)]),
        ("", "", [("gpgcheck", "not set", 2)]),
        ("gpgcheck=0", "", [("gpgcheck", f"0 in {DNF}", 2)]),
        ("gpgcheck=0", "gpgcheck=True", []),
        ("gpgcheck=1", "gpgcheck=0\nenabled=0", []),
        ("gpgcheck=1", "sslverify=False", [("sslverify", "False", 4)]),
    ],
)
def test_dnf_verifies_signatures_only_where_it_is_told_to(
    main: str, repository: str, expected: list[tuple[str, str, int]]
) -> None:
    tree: dict[str, Entry] = {
        DNF: f"[main]\n{main}\n",
        REPO: f"[a]\nname=a\nbaseurl=https://a.internal/\n{repository}\n",
    }
    found = [(s.setting, s.value, s.line) for s in read(tree).switches if s.setting != "repo_gpgcheck"]
    assert found == expected


def test_dnf_5_reads_drop_ins_of_its_main_file() -> None:
    tree: dict[str, Entry] = {
        "/usr/share/dnf5/libdnf.conf.d/20-defaults.conf": "[main]\ngpgcheck=1\nrepo_gpgcheck=1\n",
        REPO: "[a]\nbaseurl=https://a.internal/\n",
    }
    assert read(tree).switches == ()
    tree["/etc/dnf/libdnf5.conf.d/90-lax.conf"] = "[main]\ngpgcheck=0\n"
    assert [switch.setting for switch in read(tree).switches] == ["gpgcheck"]


def test_variables_of_dnf_are_replaced() -> None:
    tree: dict[str, Entry] = {
        "/etc/dnf/vars/site": "b.internal\n",
        REPO: "[a]\ngpgcheck=1\nbaseurl=http://${site}/$releasever http://$unknown/\n",
    }
    assert [host for _, host, _, _ in hosts(tree)] == ["b.internal", "$unknown"]


def test_a_list_of_mirrors_on_the_machine_is_followed() -> None:
    tree: dict[str, Entry] = {
        LIST: "deb mirror+file:/etc/apt/mirrors.txt bookworm main\n",
        "/etc/apt/mirrors.txt": "http://a.internal/\tpriority:1\n# http://x.org/\nhttp://b.internal/\n",
    }
    assert [(host, path) for _, host, path, _ in hosts(tree)] == [
        ("", LIST),
        ("a.internal", "/etc/apt/mirrors.txt"),
        ("b.internal", "/etc/apt/mirrors.txt"),
    ]


def test_apt_s_own_idea_of_its_files() -> None:
    line = "deb http://a.internal/ x y\n"
    tree: dict[str, Entry] = {
        APT: 'Dir::Etc::sourcelist "/srv/list"; Dir::Etc::sourceparts "parts";',
        "/etc/apt/apt.conf.d/90site.disabled": 'Acquire::https::Verify-Peer "false";',
        LIST: line,
        "/srv/list": line,
        "/etc/apt/parts/a.list": line,
        "/etc/apt/parts/.a.list": line,
        "/etc/apt/parts/a.list.save": line,
        "/etc/apt/parts/a b.list": line,
    }
    assert [path for _, _, path, _ in hosts(tree)] == ["/srv/list", "/etc/apt/parts/a.list"]
    assert switches(tree) == []


def test_apt_conf_is_one_tree_over_all_files() -> None:
    tree: dict[str, Entry] = {
        "/etc/apt/apt.conf.d/10a": 'Acquire::https::Verify-Peer "false";\n#include "/srv/apt/";\n',
        "/etc/apt/apt.conf.d/20b": 'Acquire::https::Verify-Peer "true";\n',
        "/srv/apt/x.conf": 'Acquire::https::Verify-Host "false";\n',
        "/etc/apt/apt.conf": 'APT::Get::AllowUnauthenticated "true";\n',
    }
    assert switches(tree) == [
        ("apt", "Acquire::https::Verify-Host", "/srv/apt/x.conf", 1),
        ("apt", "APT::Get::AllowUnauthenticated", "/etc/apt/apt.conf", 1),
    ]


def test_pip_in_virtual_environments() -> None:
    tree: dict[str, Entry] = {
        "/opt/kolla/pyvenv.cfg": "home = /usr/bin\n",
        "/opt/kolla/pip.conf": "[global]\nindex-url = https://a.internal/\n",
    }
    assert hosts(tree) == [("pip", "a.internal", "/opt/kolla/pip.conf", 2)]


def test_git_follows_includes_and_ends() -> None:
    tree: dict[str, Entry] = {
        GIT: "[include]\n path = gitconfig.d/site\n path = /etc/gitconfig\n",
        "/etc/gitconfig.d/site": '[url "https://a.internal/"]\n insteadOf = x:\n',
    }
    assert set(hosts(tree)) == {("git", "a.internal", "/etc/gitconfig.d/site", 2)}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/chrony/chrony.conf", "include /etc/chrony/*"),
        ("/etc/chrony/chrony.conf", "confdir /etc/chrony /etc/../etc/chrony"),
        ("/etc/chrony/chrony.conf", "include /etc/chrony/loop/loop/*"),
        ("/etc/ntp.conf", "includefile /etc/ntp.conf"),
    ],
)
def test_time_servers_that_include_themselves_end(path: str, line: str) -> None:
    found = read(
        {
            path: f"server a.internal\n{line}\n" * 300,
            "/etc/chrony/b.conf": f"{line}\n" * 300,
            "/etc/chrony/loop": Link("."),
            "/etc/chrony/c": Link("c"),
        }
    )
    assert {endpoint.host for endpoint in found.endpoints if endpoint.kind == "ntp"} == {"a.internal"}
    assert sum("more than 100 includes" in trouble.reason for trouble in found.troubles) == 1


def test_chrony_follows_its_folders() -> None:
    tree: dict[str, Entry] = {
        "/etc/chrony/chrony.conf": (
            "confdir /etc/chrony/conf.d /usr/share/chrony\nsourcedir /etc/chrony/sources.d\ninclude /srv/*.chrony\n"
        ),
        "/etc/chrony/conf.d/a.conf": "server a.internal\n",
        "/usr/share/chrony/a.conf": "server hidden.internal\n",
        "/usr/share/chrony/b.conf": "server b.internal\n",
        "/etc/chrony/sources.d/c.sources": "pool c.internal\n",
        "/etc/chrony/sources.d/c.conf": "pool other.internal\n",
        "/srv/d.chrony": "peer d.internal\n",
    }
    assert [host for _, host, _, _ in hosts(tree)] == ["a.internal", "b.internal", "c.internal", "d.internal"]


def timesyncd(**files: str) -> dict[str, Entry]:
    tree: dict[str, Entry] = {
        "/etc/machine-id": "",
        f"{UNIT}/systemd-timesyncd.service": "[Service]\n",
        f"{WANTED}/systemd-timesyncd.service": Link(f"{UNIT}/systemd-timesyncd.service"),
        TIMESYNCD: "[Time]\n#FallbackNTP=0.example.org 1.example.org\n",
    }
    return {**tree, **{f"/etc/systemd/timesyncd.conf.d/{name}.conf": text for name, text in files.items()}}


def test_time_servers_that_are_compiled_in_count_where_nothing_replaces_them() -> None:
    assert hosts(timesyncd()) == [
        ("ntp", "0.example.org", TIMESYNCD, 2),
        ("ntp", "1.example.org", TIMESYNCD, 2),
    ]
    own = timesyncd(site="[Time]\nNTP=a.internal\nFallbackNTP=b.internal\n")
    assert [host for _, host, _, _ in hosts(own)] == ["a.internal", "b.internal"]
    emptied = timesyncd(site="[Time]\nFallbackNTP=\n")
    assert len(hosts(emptied)) == 2, "timesyncd takes an empty list for none"


def test_time_servers_that_are_compiled_in_and_not_known() -> None:
    tree = timesyncd()
    del tree[TIMESYNCD]
    ((_, host, path, line),) = hosts(tree)
    assert "compiled into systemd-timesyncd" in host
    assert (path, line) == (f"{UNIT}/systemd-timesyncd.service", 0)


def test_a_service_that_does_not_start_asks_nobody() -> None:
    tree = timesyncd()
    del tree[f"{WANTED}/systemd-timesyncd.service"]
    assert hosts(tree) == []
    masked = timesyncd()
    masked["/etc/systemd/system/systemd-timesyncd.service"] = Link("/dev/null")
    assert hosts(masked) == []


def test_drop_ins_by_name_and_the_folder_that_counts() -> None:
    tree = timesyncd(b="[Time]\nFallbackNTP=b.internal\n")
    tree["/usr/lib/systemd/timesyncd.conf.d/b.conf"] = "[Time]\nFallbackNTP=hidden.internal\n"
    tree["/usr/lib/systemd/timesyncd.conf.d/a.conf"] = "[Time]\nNTP=a.internal\n"
    assert [host for _, host, _, _ in hosts(tree)] == ["a.internal", "b.internal"]


def test_resolved_takes_an_empty_fallback_for_an_answer() -> None:
    tree: dict[str, Entry] = {
        f"{UNIT}/systemd-resolved.service": "[Service]\n",
        f"{WANTED}/systemd-resolved.service": Link("x"),
        "/etc/systemd/resolved.conf": (
            "[Resolve]\nDNS=10.0.0.53:853#dns.internal\n#FallbackDNS=192.0.2.1#dns.example.org\n"
        ),
    }
    assert [host for _, host, _, _ in hosts(tree)] == ["10.0.0.53:853", "192.0.2.1"]
    tree["/etc/systemd/resolved.conf.d/x.conf"] = "[Resolve]\nFallbackDNS=\n"
    assert [host for _, host, _, _ in hosts(tree)] == ["10.0.0.53:853"]


def test_a_resolv_conf_of_the_running_node_is_not_the_image_s() -> None:
    assert hosts({"/etc/resolv.conf": Link("../run/systemd/resolve/stub-resolv.conf")}) == []


def test_images_come_from_where_the_merged_registries_lead() -> None:
    tree: dict[str, Entry] = {
        REGISTRIES: 'unqualified-search-registries = ["x.example.org"]\n'
        '[[registry]]\nprefix = "x.example.org"\nlocation = "a.internal/x"\n'
        '[[registry]]\nprefix = "y.example.org"\nlocation = "y.example.org"\nblocked = true\n'
        '[[registry]]\nprefix = "*.z.internal"\n',
        "/etc/containers/registries.conf.d/names.conf": (
            '[aliases]\n"one" = "x.example.org/one"\n"two" = "y.example.org/two"\n"three" = "w.example.org/three"\n'
        ),
    }
    assert [(kind, host, line) for kind, host, _, line in hosts(tree)] == [
        ("containers", "*.z.internal", 9),
        ("containers", "a.internal", 2),
        ("short-names", "a.internal", 1),
        ("short-names", "a.internal", 2),
        ("short-names", "w.example.org", 4),
    ]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        (LIST, "deb http://a.internal/\n", 1),
        (LIST, "\nnonsense\n", 2),
        (LIST, "deb [trusted] http://a.internal/ x y\n", 1),
        (SOURCES, "Types: deb\n", 1),
        (APT, 'Acquire::https::Verify-Peer "true"', 1),
        (REPO, "baseurl=http://a.internal/\n", 1),
        (PIP, "index-url = x\n", 1),
        (GIT, "[http\n", 1),
        (DAEMON, "{", 1),
        (REGISTRIES, "[[registry]]\n", 1),
        ("/root/.yarnrc.yml", "a: [\n", 2),
    ],
)
def test_what_its_own_tool_refuses_is_told(path: str, text: str, line: int) -> None:
    found = read({path: text})
    assert [(trouble.path, trouble.line, trouble.refused) for trouble in found.troubles] == [(path, line, True)]


@pytest.mark.parametrize(
    "path", [LIST, APT, DNF, REPO, PIP, NPM, GIT, DAEMON, REGISTRIES, TIMESYNCD, "/etc/environment"]
)
@pytest.mark.parametrize("entry", [Broken(), b"x" * (1024 * 1024 + 1)], ids=["broken", "huge"])
def test_what_we_cannot_read_is_told_and_the_rest_goes_on(path: str, entry: Entry) -> None:
    found = read({path: entry, "/etc/chrony.conf": "server a.internal\n"})
    assert {(trouble.path, trouble.refused) for trouble in found.troubles} == {(path, False)}
    assert [endpoint.host for endpoint in found.endpoints] == ["a.internal"]


def test_links_in_a_circle_are_told() -> None:
    loops = [LIST, PIP, TIMESYNCD, DNF, DAEMON]
    found = read({path: Link(path) for path in [*loops, "/etc/resolv.conf"]})
    assert {(trouble.path, trouble.refused) for trouble in found.troubles} == {(path, False) for path in loops}


def test_passwords_are_flagged_and_not_kept() -> None:
    tree: dict[str, Entry] = {
        LIST: "deb https://user:Geheim1@a.internal/ x y\n",
        PIP: "[global]\nindex-url = https://__token__:Geheim2@b.internal/simple\ntrusted-host = c.internal\n",
        "/etc/environment": "https_proxy=http://u:Geheim3@p.internal:1\n",
        DNF: "[main]\nproxy=http://u:Geheim4@p.internal:1\nproxy_password=Geheim5\n",
        ZYPP: "[a]\nbaseurl=https://u:Geheim6@z.internal/?token=Geheim7\n",
        GIT: '[url "https://u:Geheim8@g.internal/"]\n insteadOf = x:\n',
        DAEMON: '{"proxies": {"http-proxy": "http://u:Geheim9@p.internal:1"}}',
    }
    found = read(tree)
    assert "Geheim" not in repr(found)
    assert all(endpoint.credentials for endpoint in found.endpoints)
    assert len(found.endpoints) == 7


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (GIT, '[http "https://u:Geheim@a.internal"]\n sslVerify = off\n'),
        (PIP, "[global]\ntrusted-host = u:Geheim@a.internal\n"),
        (
            DAEMON,
            '{"insecure-registries": ["u:Geheim@a.internal"], "registry-mirrors": ["https://u:Geheim@a.internal"]}',
        ),
        (DAEMON, '{"registry-mirrors": ["https://u:Geheim@a.internal"],}'),
        (REGISTRIES, 'unqualified-search-registries = ["https://u:Geheim@a.internal"]\n'),
        (
            REGISTRIES,
            '[[registry]]\nprefix = "u:Geheim@a.internal"\nlocation = "u:Geheim@a.internal"\ninsecure = true\n',
        ),
        (REGISTRIES, '[[registry]]\nprefix = "u:Geheim@a.internal"\n'),
        (BUILDKIT, '[registry."u:Geheim@a.internal"]\nhttp = true\nmirrors = ["u:Geheim@b.internal"]\n'),
        (LIST, "deb https://u:Geheim@a.internal\n"),
    ],
)
def test_passwords_are_kept_nowhere(path: str, text: str) -> None:
    facts = facts_of({path: text})
    assert "Geheim" not in repr((facts.endpoints, facts.containers))

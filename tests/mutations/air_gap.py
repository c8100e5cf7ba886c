"""Defects of what the image would contact, of verification, and of the configuration of containers."""

from collections.abc import Callable
from typing import Any

from tests.support.mutations import Draft, Mutation

RULES: dict[str, Any] = {
    "air_gap": {"allowed": ["*.internal", "10.0.0.0/8"], "ignore": ["short-names"], "verification": True},
    "containers": {"config": True, "zuul_roles": True},
}
RULES_DEB: dict[str, Any] = {
    "air_gap": {"sources": True},
    "containers": {
        "engines": ["podman"],
        "storage_drivers": ["overlay"],
        "storage_roots": ["/var/lib/docker", "/var/lib/containers/storage"],
        "short_name_mode": "permissive",
        "search_registries": [],
        "signatures": {"default": "insecureAcceptAnything"},
    },
}
CONF = "/etc/apt/apt.conf.d/80site"
LIST = "/etc/apt/sources.list.d/site.list"
SOURCES = "/etc/apt/sources.list.d/site.sources"
REPO = "/etc/yum.repos.d/site.repo"
ZYPP = "/etc/zypp/repos.d/site.repo"
PIP = "/opt/site/pip.conf"
DAEMON = "/etc/docker/daemon.json"
REGISTRIES = "/etc/containers/registries.conf"
DROP_IN = "/etc/containers/registries.conf.d/99-site.conf"
POLICY = "/etc/containers/policy.json"
STORAGE = "/etc/containers/storage.conf"
SYSTEMD = "/etc/systemd/system.conf.d/x.conf"
BUILDKIT = "/etc/buildkit/buildkitd.toml"
DEB822 = "Types: deb\nURIs: https://mirror.internal/debian\nSuites: bookworm\nComponents: main\n"
TABLE = '[[registry]]\nprefix = "example.org"\nlocation = "registry.internal/example"\n'
HOSTS, VERIFICATION, CONFIG = "air-gap-hosts", "verification", "container-config"
Change = Callable[[Draft], None]
MUTATIONS: list[Mutation] = []


def written(path: str, text: str) -> Change:
    return lambda draft: draft.write(path, text)


def defect(name: str, family: str, change: Change, *expected: tuple[str, str], **rules: Any) -> None:
    MUTATIONS.append(Mutation(name, family, change, frozenset(expected), rules))


def host(name: str, path: str, text: str, subject: str, family: str = "both") -> None:
    """Name a host that is not on the list."""
    defect(f"host-{name}", family, written(path, text), (HOSTS, subject))


def switch(name: str, path: str, text: str, subject: str, family: str = "both") -> None:
    """Switch verification off."""
    defect(f"verification-{name}", family, written(path, text), (VERIFICATION, subject))


def switched_off(draft: Draft) -> None:
    """Comment every source of apt out."""
    folder = "/etc/apt/sources.list.d"
    for path in ["/etc/apt/sources.list", *(f"{folder}/{name}" for name in draft.listdir(folder))]:
        if draft.exists(path):
            lines = draft.read(path).decode().splitlines()
            draft.write(path, "".join(f"# {line}\n" for line in lines))


def disabled(draft: Draft) -> None:
    """Leave dnf one repository, and that disabled."""
    draft.remove("/etc/yum.repos.d")
    draft.write(REPO, "[a]\nbaseurl=https://mirror.internal/\nenabled=0\n")


def no_fallback(draft: Draft) -> None:
    """Take the site's own time servers away, so that the compiled-in ones count."""
    folder = "/etc/systemd/timesyncd.conf.d"
    for name in draft.listdir(folder):
        draft.remove(f"{folder}/{name}")
    draft.write("/etc/systemd/timesyncd.conf", "[Time]\n#FallbackNTP=time.example.org\n")


def virtual_environment(draft: Draft) -> None:
    draft.write("/opt/site/pyvenv.cfg", "home = /usr/bin\n")
    draft.write(PIP, "[global]\ntrusted-host = mirror.internal\n")


host("apt-list", LIST, "deb [arch=amd64] https://mirror.example.org/debian bookworm main\n", "apt mirror.example.org")
host("apt-sources", SOURCES, DEB822.replace("mirror.internal", "example.org:8443"), "apt example.org:8443")
host("apt-proxy", CONF, 'Acquire { http { Proxy "http://proxy.example.org:3128"; }; };\n', "apt proxy.example.org:3128")
host("apt-lookalike", LIST, "deb https://mirror.internal.example.org/ x main\n", "apt mirror.internal.example.org")
host("dnf", REPO, "[a]\nbaseurl=https://mirror.example.org/\ngpgcheck=1\n", "dnf mirror.example.org")
host("dnf-key", REPO, "[a]\nbaseurl=file:///srv\ngpgcheck=1\ngpgkey=https://example.org/k\n", "dnf example.org")
host("zypper", ZYPP, "[a]\nbaseurl=https://mirror.example.org/\n", "zypper mirror.example.org")
host("pip", "/etc/pip.conf", "[global]\nextra-index-url =\n  https://pip.example.org/simple\n", "pip pip.example.org")
host("npm", "/etc/npmrc", "registry=https://npm.example.org/\n", "npm npm.example.org")
host("git", "/etc/gitconfig", '[url "https://git.example.org/"]\n insteadOf = site:\n', "git git.example.org")
host("docker", DAEMON, '{"registry-mirrors": ["https://example.org"]}\n', "docker example.org")
host("buildkit", BUILDKIT, '[registry."a.internal"]\nmirrors = ["example.org"]\n', "buildkit example.org")
host("chrony", "/etc/chrony.conf", "pool time.example.org iburst\n", "ntp time.example.org")
host("proxy", SYSTEMD, "[Manager]\nDefaultEnvironment=HTTPS_PROXY=p.example.org:1\n", "environment p.example.org:1")
host("dnsmasq", "/etc/dnsmasq.d/x", "server=192.0.2.53\n", "resolver 192.0.2.53")
host(
    "registry", REGISTRIES, TABLE.replace("registry.internal/", "mirror.example.org/"), "containers mirror.example.org"
)
defect("host-timesyncd-compiled-in", "deb", no_fallback, (HOSTS, "ntp time.example.org"))
defect("host-unparsable", "deb", written(LIST, "deb https://mirror.internal\n"), (HOSTS, LIST), (VERIFICATION, LIST))
defect("sources-switched-off", "deb", switched_off, ("air-gap-sources", "apt"))
defect(
    "sources-disabled",
    "rpm",
    disabled,
    ("air-gap-sources", "dnf"),
    air_gap={"sources": True},
)

switch("apt-peer", CONF, 'Acquire {\n https {\n  Verify-Peer "false";\n };\n};\n', "apt Acquire::https::Verify-Peer")
switch("apt-host", CONF, 'Acquire::https::mirror.internal::Verify-Host "no";\n', "apt *::Verify-Host")
switch("apt-unauthenticated", CONF, 'APT::Get::AllowUnauthenticated "1";\n', "apt *AllowUnauthenticated")
switch("apt-insecure", CONF, 'Acquire::AllowInsecureRepositories "true";\n', "apt *AllowInsecureRepositories")
switch("apt-trusted", LIST, "deb [trusted=yes] https://mirror.internal/ x main\n", "apt trusted=yes")
switch("apt-deb822-trusted", SOURCES, f"{DEB822}Trusted: yes\n", "apt Trusted")
switch("dnf-gpgcheck", REPO, "[a]\nbaseurl=https://mirror.internal/\ngpgcheck=0\n", "dnf gpgcheck")
switch("dnf-sslverify", REPO, "[a]\nbaseurl=https://mirror.internal/\ngpgcheck=1\nsslverify=0\n", "dnf sslverify")
switch("zypper-gpgcheck", ZYPP, "[a]\nbaseurl=https://mirror.internal/\ngpgcheck=0\n", "zypper gpgcheck")
switch("zypper-tls", ZYPP, "[a]\nbaseurl=https://mirror.internal/?ssl_verify=no\n", "zypper ssl_verify")
switch("npm", "/etc/npmrc", "strict-ssl=false\n", "npm strict-ssl")
switch("git", "/etc/gitconfig", "[http]\n sslVerify = off\n", "git http.sslverify")
switch("docker", DAEMON, '{"insecure-registries": ["a.internal:5000"]}\n', "docker insecure-registries")
switch("buildkit", BUILDKIT, '[registry."a.internal"]\nhttp = true\n', "buildkit http of a.internal")
defect("verification-pip-venv", "both", virtual_environment, (VERIFICATION, "pip trusted-host"))
defect(
    "verification-registry",
    "deb",
    written(REGISTRIES, f"{TABLE}insecure = true\n"),
    (VERIFICATION, "containers insecure of registry.internal/example"),
    ("container-registries", "insecure registry.internal/example"),
)

defect(
    "containers-daemon-json",
    "both",
    written(DAEMON, '{"data-root": "/var/lib/docker",}\n'),
    (CONFIG, DAEMON),
    (HOSTS, DAEMON),
    (VERIFICATION, DAEMON),
    ("container-zuul-roles", DAEMON),
)
defect(
    "containers-drop-in-refused",
    "deb",
    written(DROP_IN, '[[registry]]\nprefix = "example.org"\n'),
    (CONFIG, DROP_IN),
    (HOSTS, DROP_IN),
    (VERIFICATION, DROP_IN),
    ("container-registries", DROP_IN),
    ("container-zuul-roles", DROP_IN),
)
defect(
    "containers-drop-in-hides",
    "both",
    written(DROP_IN, TABLE),
    ("container-zuul-roles", f"{DROP_IN}: example.org"),
)
defect(
    "containers-table-without-prefix",
    "both",
    written(REGISTRIES, '[[registry]]\nlocation = "a.internal"\n'),
    ("container-zuul-roles", f"{REGISTRIES}: a.internal"),
)
defect(
    "containers-certs-d",
    "both",
    written("/etc/docker/certs.d/a.internal", "x"),
    (CONFIG, "/etc/docker/certs.d/a.internal"),
    ("container-zuul-roles", "/etc/docker/certs.d/a.internal"),
)
defect(
    "containers-search",
    "deb",
    written(DROP_IN, 'unqualified-search-registries = ["a.internal"]\n'),
    ("container-registries", "short names"),
)
defect(
    "containers-short-name-mode",
    "deb",
    written(DROP_IN, 'short-name-mode = "disabled"\n'),
    ("container-registries", "short-name-mode"),
)
defect(
    "containers-mirrors",
    "deb",
    written(REGISTRIES, TABLE),
    ("container-registries", "example.org"),
    containers={"registries": [{"prefix": "example.org", "mirrors": ["mirror.internal"]}]},
)
defect(
    "containers-policy-rejects",
    "deb",
    written(POLICY, '{"default": [{"type": "reject"}]}\n'),
    ("container-policy", "default"),
)
defect("containers-policy-gone", "deb", lambda draft: draft.remove(POLICY), ("container-policy", POLICY))
defect(
    "containers-policy-twice",
    "deb",
    written(POLICY, '{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}\n'),
    (CONFIG, POLICY),
    (HOSTS, POLICY),
    (VERIFICATION, POLICY),
    ("container-policy", POLICY),
)
defect(
    "containers-vfs",
    "deb",
    written(STORAGE, '[storage]\ndriver = "vfs"\n'),
    ("container-engine", "podman storage driver"),
)
defect(
    "containers-elsewhere",
    "deb",
    written(STORAGE, '[storage]\ndriver = "overlay"\ngraphroot = "/srv"\n'),
    ("container-engine", "podman storage"),
)
defect(
    "containers-engine-disabled",
    "deb",
    lambda draft: draft.remove("/etc/systemd/system/sockets.target.wants/podman.socket"),
    ("container-engine", "engine"),
)
defect(
    "containers-engine-masked",
    "deb",
    lambda draft: draft.link("/etc/systemd/system/podman.socket", "/dev/null"),
    ("container-engine", "engine"),
)

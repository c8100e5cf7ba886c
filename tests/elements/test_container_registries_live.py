"""buildah, skopeo and podman on what the element bakes, against a registry that wants TLS and client certificates.

All steps run once, in one root; each test looks at one of them.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.elements.ca_bundle import ELEMENT as TRUST
from tests.elements.ca_bundle import bake as bake_trust
from tests.elements.ca_bundle import bundle_env, save
from tests.elements.fakeroot import FakeRoot
from tests.elements.pki import make_ca, make_server
from tests.elements.site import SITE
from tests.elements.test_container_registries import ELEMENT, REGISTRY, bake

MOUNTS = "post-install.d/62-trusted-ca-bundle-containers"
REGISTRY_YAML = """\
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: /tmp/registry}}
http:
  addr: 127.0.0.1:5000
  tls: {certificate: /tmp/server.pem, key: /tmp/server.pem, clientcas: [/tmp/ca.pem]}
"""
# Debian's shortnames.conf names public hosts; this one does the same with a host of the test.
SHORT_NAMES = '[aliases]\n"base" = "hub.internal:5000/base"\n'
CONTAINERFILE = f"""\
FROM {REGISTRY}/base
RUN curl -s -o /dev/null https://registry.internal:8443/; echo "without a word: $?"; \\
    SSL_CERT_FILE=/run/trusted-ca-bundle.pem curl -s -o /dev/null https://registry.internal:8443/; echo "told where: $?"
"""
STEPS = {
    "build from scratch": f"printf 'FROM scratch\\nADD base.tar /\\n' | buildah bud -q -t {REGISTRY}/base -f - /tmp",
    "push": f"buildah push -q {REGISTRY}/base",
    "inspect": f"skopeo inspect docker://{REGISTRY}/base",
    "copy to oci": f"skopeo copy docker://{REGISTRY}/base oci:/tmp/oci:base",
    "copy to dir": "skopeo copy oci:/tmp/oci:base dir:/tmp/dir",
    "short name": "buildah rmi -a -f > /dev/null && buildah pull -q base && buildah images && "
    f"buildah rmi {REGISTRY}/base",
    "no client certificate": "skopeo inspect docker://other.internal:5000/base",
    "without root": f"setpriv --reuid=65534 --regid=65534 --clear-groups "
    f"env HOME=/tmp/nobody XDG_RUNTIME_DIR=/tmp/nobody skopeo inspect docker://{REGISTRY}/base",
    "other registry": f"skopeo copy --src-cert-dir /etc/containers/certs.d/{REGISTRY} "
    "docker://other.internal:5000/base dir:/tmp/other",
    "mirror": f"cp /etc/containers/certs.d/{REGISTRY}/* /etc/containers/certs.d/other.internal:5000 && "
    "skopeo copy docker://mirrored.internal/base dir:/tmp/mirrored",
    "buildah bud": "buildah bud --network host -t built -f /tmp/Containerfile /tmp",
    "podman build": "podman build --network host --no-cache -t built-by-podman -f /tmp/Containerfile /tmp",
    "image built": "buildah inspect --type image --format '{{.OCIv1.Config.Env}}' built; "
    "ls -A $(buildah mount $(buildah from localhost/built))/run",
    "podman": "podman info --format json",
}


def make_base(folder: Path) -> Path:
    """Pack a shell and curl of the host, with their libraries, as the content of an image."""
    programs = ["/usr/bin/dash", "/usr/bin/curl"]
    files = {*programs}
    for program in programs:
        libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= set(re.findall(r"/\S+", libraries))
    archive = folder / "base.tar"
    rename = ["--transform=s,^usr/bin/dash$,bin/sh,", "--transform=s,^usr/bin/curl$,bin/curl,"]
    subprocess.run(
        ["tar", "-chf", archive, *rename, "-C", "/", *(name.lstrip("/") for name in sorted(files))], check=True
    )
    return archive


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Bake, run all steps, and return status and output of each."""
    folder = tmp_path_factory.mktemp("live")
    ca = make_ca("Internal Root CA")
    server = make_server(ca, ["registry.internal", "other.internal"])
    client = make_ca("node.internal", is_ca=False, issuer=ca)
    root = FakeRoot(folder / "build", ELEMENT)
    assert TRUST in root.elements
    root.write("/etc/containers/registries.conf.d/shortnames.conf", SHORT_NAMES)
    files = {name: str(save(folder / name, getattr(client, f"{name}_pem"))) for name in ("cert", "key")}
    entry = {"prefix": REGISTRY, "client_cert": files["cert"], "client_key": files["key"]}
    bake_trust(root, save(folder / "ca.pem", ca.cert_pem))
    mirrored = {"prefix": "mirrored.internal", "mirrors": ["other.internal:5000"]}
    bake(root, {**SITE, "registries": [entry, mirrored]})
    assert root.run_inside(MOUNTS, bundle_env(folder / "ca.pem")).ok

    root.write("/etc/hosts", "127.0.0.1 localhost registry.internal other.internal\n")
    root.write("/tmp/server.pem", server.cert_pem + server.key_pem)
    root.write("/tmp/ca.pem", ca.cert_pem)
    root.write("/tmp/registry.yaml", REGISTRY_YAML)
    root.write("/tmp/Containerfile", CONTAINERFILE)
    root.write("/tmp/base.tar", make_base(folder).read_bytes())
    script = [
        "ip link set lo up",
        "mkdir -p /run/lock",
        "docker-registry serve /tmp/registry.yaml > /dev/null 2>&1 &",
        "openssl s_server -accept 8443 -cert /tmp/server.pem -key /tmp/server.pem -www -quiet > /dev/null 2>&1 &",
        "export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot",
        "for port in 5000 8443; do",
        "    for try in {1..50}; do (: < /dev/tcp/127.0.0.1/$port) 2> /dev/null && break; sleep 0.1; done",
        "done",
    ]
    for name, command in STEPS.items():
        script += [f"echo '== {name}'", f"({command}) 2>&1", r"printf '\n== %s\n' $?"]
    root.write("/tmp/script", "\n".join(script))
    # buildah wants a root that is a mount of its own, podman a cgroup file system.
    chroot = "mkdir /mnt; mount --rbind / /mnt; mkdir -p /mnt/sys/fs/cgroup; mount -t cgroup2 none /mnt/sys/fs/cgroup"
    root.add_hook("install.d/99-live", f"set -e\n{chroot}\nchroot /mnt bash /tmp/script")
    output = root.run_inside("install.d/99-live").output
    found = re.findall(r"(?ms)^== ([a-z ]+)\n(.*?)\n== (\d+)$", output)
    assert [name for name, _, _ in found] == list(STEPS), output
    return {name: (int(status), text) for name, text, status in found}


@pytest.mark.parametrize("step", ["build from scratch", "push", "inspect", "copy to oci", "copy to dir"])
def test_tools_accept_the_files_and_reach_the_registry(steps: dict[str, tuple[int, str]], step: str) -> None:
    status, output = steps[step]
    assert status == 0, output


def test_short_name_is_looked_up_in_the_sites_registry(steps: dict[str, tuple[int, str]]) -> None:
    status, output = steps["short name"]
    assert status == 0, output
    assert re.search(rf"(?m)^{REGISTRY}/base\s+latest", output)


def test_registry_wants_the_client_certificate(steps: dict[str, tuple[int, str]]) -> None:
    """Else the steps before would prove nothing."""
    status, output = steps["no client certificate"]
    assert status != 0
    assert "bad certificate" in output or "certificate required" in output


def test_key_that_only_root_may_read_does_not_break_tools_without_root(steps: dict[str, tuple[int, str]]) -> None:
    """They pass over the folder and are turned away by the registry, as are all that have no certificate."""
    _, output = steps["without root"]
    assert "bad certificate" in output or "certificate required" in output


def test_image_of_another_registry_is_rejected_by_the_policy(steps: dict[str, tuple[int, str]]) -> None:
    status, output = steps["other registry"]
    assert status != 0
    assert "rejected by policy" in output


def test_policy_looks_at_the_name_asked_for_and_not_at_the_mirror(steps: dict[str, tuple[int, str]]) -> None:
    """So Zuul's buildset registry, a mirror that no policy knows, can serve the site's images."""
    status, output = steps["mirror"]
    assert status == 0, output


@pytest.mark.parametrize("tool", ["buildah bud", "podman build"])
def test_container_being_built_finds_the_cas_of_the_node(steps: dict[str, tuple[int, str]], tool: str) -> None:
    status, output = steps[tool]
    assert status == 0, output
    assert re.search("(?m)^without a word: [1-9]", output)
    assert "told where: 0" in output


def test_nothing_of_the_node_stays_in_the_image_built(steps: dict[str, tuple[int, str]]) -> None:
    status, output = steps["image built"]
    assert status == 0, output
    assert output == "[PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin]"


def test_podman_reads_the_registries(steps: dict[str, tuple[int, str]]) -> None:
    status, output = steps["podman"]
    assert status == 0, output
    registries = json.loads(output[output.index("{\n") :])["registries"]
    assert registries["search"] == [REGISTRY]
    assert registries[REGISTRY]["Prefix"] == REGISTRY
    assert registries[REGISTRY]["Insecure"] is False

"""Defects of packages, commands and Python distributions."""

from collections.abc import Callable, Iterator
from typing import Any

from diskimage_validator.facts.packages import Package, parse_status
from tests.support.elf_files import library, linked
from tests.support.images import STATUS, stanza
from tests.support.mutations import Draft, Mutation

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
LISTS = "/var/lib/apt/lists"
PYTHON = "/usr/lib/python3/dist-packages"
DOCUMENT = "/usr/share/doc/jq/copyright"

RULES: dict[str, Any] = {
    "packages": {
        "required": ["podman | docker-ce", "skopeo (>= 1.9)", "jq (>= 1.5)"],
        "forbidden": ["telnetd | telnet-server", "*-dev", "*-devel", "sudo (<< 1.9.5)"],
        "states": {"removed": False},
        "foreign_architectures": [],
        "origins": {"mirrors": ["*.internal"]},
        "python": {"forbidden": ["urllib3 < 1.26.5", "pip < 20"]},
    },
    "commands": {
        "required": ["podman | docker", "skopeo", "jq", "qemu-img", "python3", "cloud-init"],
        "forbidden": ["gcc", "gcc-[0-9]*", "telnet"],
    },
}
RULES_DEB: dict[str, Any] = {"packages": {"python": {"required": ["requests >= 2"]}}}


def restated(name: str, words: str) -> Callable[[Draft], None]:
    """Give an installed package another Status."""
    installed = f"Package: {name}\nStatus: install ok installed\n"
    return lambda draft: draft.replace(STATUS, installed, f"Package: {name}\nStatus: {words}\n")


def added(name: str, **fields: str) -> Callable[[Draft], None]:
    """Add a package to dpkg's database, and nothing else."""
    return lambda draft: draft.append(STATUS, "\n" + stanza(name, **fields))


def dropped(name: str) -> Callable[[Draft], None]:
    """Take a package out of dpkg's database, as a purge does."""

    def change(draft: Draft) -> None:
        paragraphs = draft.read(STATUS).split(b"\n\n")
        kept = [text for text in paragraphs if not text.startswith(f"Package: {name}\n".encode())]
        assert len(kept) == len(paragraphs) - 1
        draft.remove(STATUS)
        draft.write(STATUS, b"\n\n".join(kept))

    return change


def indexed(name: str, but: str = "") -> Callable[[Draft], None]:
    """Leave an index of apt behind that lists every installed package, or all but one."""

    def change(draft: Draft) -> None:
        packages = parse_status(draft.read(STATUS), STATUS)
        draft.write(f"{LISTS}/{name}", "\n".join(_listed(package) for package in packages if package.name != but))

    return change


def _listed(package: Package) -> str:
    return f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {package.architecture}\n"


def aged(draft: Draft) -> None:
    """Write an old version of jq into dpkg's database."""
    (package,) = (package for package in parse_status(draft.read(STATUS), STATUS) if package.name == "jq")
    draft.replace(STATUS, f"Version: {package.version}\n", "Version: 1.4-9\n")


def cut_off(draft: Draft) -> None:
    """Leave the first half of skopeo, as a full disk does."""
    content = draft.read("/usr/bin/skopeo")
    draft.remove("/usr/bin/skopeo")
    draft.write("/usr/bin/skopeo", content[: len(content) // 2], mode=0o755)


def replaced(path: str, content: bytes, mode: int = 0o755) -> Callable[[Draft], None]:
    """Put something else in the place of a file or a link."""

    def change(draft: Draft) -> None:
        draft.remove(path)
        draft.write(path, content, mode=mode)

    return change


def other_machine(draft: Draft) -> None:
    """Put a library for aarch64 in the place of libjq."""
    (name,) = (name for name in draft.listdir(LIBRARIES) if name.startswith("libjq.so.1."))
    replaced(f"{LIBRARIES}/{name}", library("libjq.so.1", machine=183), 0o644)(draft)


def unlinked(draft: Draft) -> None:
    """Make qemu-img a link that leads nowhere."""
    draft.remove("/usr/bin/qemu-img")
    draft.link("/usr/bin/qemu-img", "/opt/qemu/bin/qemu-img")


def distribution(folder: str, name: str, version: str) -> Callable[[Draft], None]:
    """Add a Python distribution."""
    return lambda draft: draft.write(
        f"{folder}/{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )


def without_metadata(draft: Draft) -> None:
    """Take away what says that requests is installed."""
    (name,) = (name for name in draft.listdir(PYTHON) if name.startswith("requests-") and name.endswith("-info"))
    draft.remove(f"{PYTHON}/{name}")


def without_loader(draft: Draft) -> None:
    """Take away the dynamic loader."""
    draft.remove(draft.resolve("/lib64/ld-linux-x86-64.so.2"))


def diverted(path: str) -> Callable[[Draft], None]:
    """Divert a file of a package, and put something in either place."""

    def change(draft: Draft) -> None:
        draft.append("/var/lib/dpkg/diversions", f"{path}\n{path}.theirs\n:\n")
        draft.write(f"{path}.theirs", "theirs, changed")
        draft.write(path, "ours")

    return change


def _of_files() -> Iterator[Mutation]:
    """Yield defects of the files that packages brought, which nothing but reading them finds."""

    def deb(name: str, change: Callable[[Draft], None], subject: str, **rules: object) -> Mutation:
        expected = frozenset({("packages-intact", subject)})
        return Mutation(name, "deb", change, expected, {"packages": {"intact": rules}})

    info = "/var/lib/dpkg/info/jq"
    yield deb("package-file-changed", lambda draft: draft.append(DOCUMENT, "x"), DOCUMENT)
    yield deb("package-file-emptied", replaced(DOCUMENT, b"", 0o644), DOCUMENT)
    yield deb("package-file-removed", lambda draft: draft.remove(DOCUMENT), DOCUMENT)
    yield deb("package-file-diverted-and-changed", diverted(DOCUMENT), f"{DOCUMENT}.theirs")
    yield deb("package-digests-removed", lambda draft: draft.remove(f"{info}.md5sums"), "jq")
    yield deb("package-digests-damaged", lambda draft: draft.append(f"{info}.md5sums", "x"), f"{info}.md5sums")
    yield deb(
        "package-configuration-edited",
        lambda draft: draft.append("/etc/bash.bashrc", "# edited\n"),
        "/etc/bash.bashrc",
        configuration=True,
    )


def _mutations() -> Iterator[Mutation]:
    def deb(name: str, change: Callable[[Draft], None], *expected: tuple[str, str]) -> Mutation:
        return Mutation(name, "deb", change, frozenset(expected))

    state, required, forbidden = "packages-state", "packages-required", "packages-forbidden"
    foreign, origin, python = "packages-foreign", "packages-origin", "python-packages"
    command = "commands-required"

    yield deb("package-purged", dropped("skopeo"), (required, "skopeo*"))
    yield deb("package-too-old", aged, (required, "jq (>= 1.5)"))
    for words in ("half-installed", "half-configured", "unpacked", "triggers-pending"):
        faults = ((state, "skopeo:amd64"), (required, "skopeo*"))
        yield deb(f"package-{words}", restated("skopeo", f"install ok {words}"), *faults)
    yield deb(
        "package-to-be-reinstalled",
        restated("skopeo", "install reinstreq installed"),
        (state, "skopeo:amd64"),
        (required, "skopeo*"),
    )
    yield deb("package-held", restated("podman", "hold ok installed"), (state, "podman:amd64"))
    yield deb("package-marked-for-removal", restated("podman", "deinstall ok installed"), (state, "podman:amd64"))
    yield deb("package-left-configuration", added("old", status="deinstall ok config-files"), (state, "old:amd64"))
    yield deb("package-forbidden", added("telnetd"), (forbidden, "telnetd"))
    yield deb("package-forbidden-by-pattern", added("libssl-dev"), (forbidden, "libssl-dev"))
    yield deb("package-foreign", added("libc6", architecture="i386"), (foreign, "i386"))
    yield deb("architecture-added", lambda draft: draft.write("/var/lib/dpkg/arch", "amd64\ni386\n"), (foreign, "i386"))
    yield deb("packages-of-another-mirror", indexed("apt.example.org_Packages"), (origin, "apt.example.org"))
    yield deb("package-from-a-file", indexed("apt.mirror.internal_Packages", but="jq"), (origin, "jq"))

    yield deb("command-removed", lambda draft: draft.remove("/usr/bin/skopeo"), (command, "skopeo"))
    yield deb("command-not-executable", lambda draft: draft.chmod("/usr/bin/jq", 0o644), (command, "jq"))
    yield deb("command-dangling", unlinked, (command, "qemu-img"))
    yield deb("command-empty", replaced("/usr/bin/jq", b""), (command, "jq"))
    yield deb("command-cut-off", cut_off, (command, "skopeo"))
    yield deb("command-for-another-machine", replaced("/usr/bin/jq", library("jq", machine=183)), (command, "jq"))
    yield deb("library-removed", lambda draft: draft.remove(f"{LIBRARIES}/libjq.so.1"), (command, "jq"))
    yield deb("library-of-a-library-removed", lambda draft: draft.remove(f"{LIBRARIES}/libonig.so.5"), (command, "jq"))
    yield deb("library-for-another-machine", other_machine, (command, "jq"))
    yield deb("library-asked-for-anew", replaced("/usr/bin/jq", linked("libnew.so.9")), (command, "jq"))
    yield deb("loader-removed", without_loader, (command, "*"))
    yield deb(
        "interpreter-removed",
        lambda draft: draft.remove(draft.resolve("/usr/bin/python3")),
        (command, "python3"),
        (command, "cloud-init"),
        (python, "/usr/bin/python3"),
    )
    yield Mutation(
        "command-forbidden",
        "both",
        lambda draft: draft.write("/usr/bin/gcc-12", linked(), mode=0o755),
        frozenset({("commands-forbidden", "gcc-12")}),
    )

    yield deb("python-required-gone", without_metadata, (python, "requests>=2 in /usr/bin/python3.*"))
    yield Mutation(
        "python-forbidden-for-root",
        "both",
        distribution("/root/.local/lib/python3.11/site-packages", "urllib3", "1.24"),
        frozenset({(python, "urllib3<1.26.5 in /root/.local")}),
    )
    yield Mutation(
        "python-forbidden-in-a-venv",
        "both",
        distribution("/opt/tool/lib/python3.11/site-packages", "pip", "9.0"),
        frozenset({(python, "pip<20 in /opt/tool")}),
    )
    yield deb("python-metadata-damaged", distribution(PYTHON, "odd", ""), (python, "/usr/bin/python3.*"))


MUTATIONS: list[Mutation] = [*_mutations(), *_of_files()]

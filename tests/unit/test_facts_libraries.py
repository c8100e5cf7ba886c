import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts import libraries as module
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.commands import read_commands
from diskimage_validator.facts.libraries import Linkage, Missing, read_libraries
from diskimage_validator.facts.library_paths import expand, parse_cache
from tests.support.elf_files import LOADER, ld_so_cache, library, linked, make_elf
from tests.support.images import program
from tests.support.memory_engine import Broken, Entry, File, Link, MemoryEngine

MULTIARCH = "/usr/lib/x86_64-linux-gnu"
MUSL = "/lib/ld-musl-x86_64.so.1"


def image(**entries: Entry) -> dict[str, Entry]:
    """Return a tree with a loader and, below /usr/lib/x86_64-linux-gnu, these libraries (``_`` for the dot)."""
    tree: dict[str, Entry] = {LOADER: program(library("ld-linux-x86-64.so.2"))}
    tree["/lib/x86_64-linux-gnu"] = Link(MULTIARCH)
    return tree | {f"{MULTIARCH}/{name.replace('_', '.')}": entry for name, entry in entries.items()}


def link(tree: Mapping[str, Entry], content: bytes, at: str = "/usr/bin/tool") -> Linkage:
    engine = MemoryEngine({**tree, at: program(content), "/usr/bin/tool": program(content)})
    path = "/usr/bin/tool"
    return read_libraries(engine, read_commands(engine, ["tool"])).programs[path]


def lacks(tree: Mapping[str, Entry], content: bytes) -> list[str]:
    return [missing.name for missing in link(tree, content).missing]


def test_a_static_program_needs_nothing() -> None:
    assert link({}, make_elf()) == Linkage()


def test_libraries_of_libraries_are_found() -> None:
    tree = image(liba_so=library("liba.so", needed=["libb.so"]), libb_so=library("libb.so", needed=["liba.so"]))
    assert link(tree, linked("liba.so")) == Linkage(LOADER, libraries=2)


def test_a_library_that_is_not_there_is_told() -> None:
    assert link(image(), linked("liba.so")).missing == (Missing("liba.so", "/usr/bin/tool"),)


def test_a_library_of_a_library_that_is_not_there_is_told() -> None:
    found = link(image(liba_so=library("liba.so", needed=["libb.so"])), linked("liba.so"))
    assert found.missing == (Missing("libb.so", "/lib/x86_64-linux-gnu/liba.so"),)


def test_a_dangling_link_is_not_there() -> None:
    assert lacks(image(liba_so=Link("liba.so.1")), linked("liba.so")) == ["liba.so"]


def test_a_loop_of_links_is_not_there() -> None:
    assert lacks(image(liba_so=Link("liba.so")), linked("liba.so")) == ["liba.so"]


def test_the_loader_passes_over_a_library_for_another_machine() -> None:
    tree = image(liba_so=library("liba.so", machine=183))
    (missing,) = link(tree, linked("liba.so")).missing
    assert missing.reason == "/lib/x86_64-linux-gnu/liba.so is made for aarch64"
    assert link({**tree, "/usr/lib/liba.so": library("liba.so")}, linked("liba.so")).missing == ()


def test_the_loader_stops_at_a_damaged_library() -> None:
    tree = {**image(liba_so=library("liba.so")[:-1]), "/usr/lib/liba.so": library("liba.so")}
    (missing,) = link(tree, linked("liba.so")).missing
    assert "liba.so cannot be loaded: truncated ELF file" in missing.reason


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (None, "is not there"),
        (File(library("ld"), 0o644), "is not executable"),
        (program(b"text"), "cannot be loaded: no ELF file"),
        (program(library("ld", machine=183)), "is made for aarch64, not for x86_64"),
    ],
)
def test_the_loader_itself_has_to_be_in_order(entry: Entry | None, fault: str) -> None:
    tree: dict[str, Entry] = {LOADER: entry} if entry else {"/etc/x": ""}
    assert link(tree, linked()).interpreter_fault == fault


@pytest.mark.parametrize("runpath", ["/opt/lib", "$ORIGIN/../../opt/lib", "${ORIGIN}/../../opt/lib", "/opt/$LIB"])
@pytest.mark.parametrize("key", ["rpath", "runpath"])
def test_run_paths_are_looked_into(runpath: str, key: str) -> None:
    tree = {**image(), "/opt/lib/liba.so": library("liba.so")}
    content = linked("liba.so", rpath=runpath) if key == "rpath" else linked("liba.so", runpath=runpath)
    assert link(tree, content) == Linkage(LOADER, libraries=1)


def test_origin_is_the_folder_of_the_real_program() -> None:
    tree: dict[str, Entry] = {**image(), "/opt/t/lib/liba.so": library("liba.so")}
    tree["/opt/t/bin/tool"] = program(linked("liba.so", runpath="$ORIGIN/../lib"))
    tree["/usr/bin/tool"] = Link("/opt/t/bin/tool")
    engine = MemoryEngine(tree)
    found = read_libraries(engine, read_commands(engine, ["tool"])).programs
    assert found == {"/opt/t/bin/tool": Linkage(LOADER, libraries=1)}


def test_rpath_serves_libraries_of_libraries_and_runpath_does_not() -> None:
    tree = {**image(), "/opt/liba.so": library("liba.so", needed=["libb.so"]), "/opt/libb.so": library("libb.so")}
    assert link(tree, linked("liba.so", rpath="/opt")).missing == ()
    assert link(tree, linked("liba.so", runpath="/opt")).missing == (Missing("libb.so", "/opt/liba.so"),)


def test_runpath_of_a_library_keeps_out_the_rpath_of_the_program() -> None:
    tree = {
        **image(),
        "/opt/liba.so": library("liba.so", needed=["libb.so"], runpath="/nowhere"),
        "/opt/libb.so": library("libb.so"),
    }
    assert lacks(tree, linked("liba.so", rpath="/opt")) == ["libb.so"]


def test_a_name_that_is_loaded_already_is_not_searched_again() -> None:
    tree = {
        **image(libc_so=library("libc.so", needed=["libself.so.1"])),
        "/opt/libself.so": library("libself.so.1"),
    }
    assert link(tree, linked("libself.so", "libc.so", runpath="/opt")).missing == ()


def test_a_name_with_folders_is_a_path() -> None:
    tree = {**image(), "/opt/liba.so": library("liba.so")}
    assert link(tree, linked("/opt/liba.so")).missing == ()
    assert lacks(tree, linked("opt/liba.so")) == ["opt/liba.so"]


def test_the_cache_of_ldconfig_counts_and_its_configuration_does_not() -> None:
    tree = {**image(), "/opt/liba.so": library("liba.so"), "/etc/ld.so.conf": "/opt\n"}
    assert len(link(tree, linked("liba.so")).missing) == 1
    tree["/etc/ld.so.cache"] = ld_so_cache([("liba.so", "/opt/liba.so")])
    assert link(tree, linked("liba.so")).missing == ()


def test_a_cache_that_is_out_of_date_does_not_make_a_library_be_there() -> None:
    tree = {**image(), "/etc/ld.so.cache": ld_so_cache([("liba.so", "/opt/liba.so")])}
    assert len(link(tree, linked("liba.so")).missing) == 1


def test_a_damaged_cache_could_not_tell() -> None:
    found = link({**image(), "/etc/ld.so.cache": b"x"}, linked("liba.so"))
    assert found.unreadable == "/etc/ld.so.cache is no cache of glibc's ldconfig"


def test_musl_is_its_own_library_and_has_its_own_folders() -> None:
    tree: dict[str, Entry] = {MUSL: program(library("libc")), "/usr/local/lib/liba.so": library("liba.so")}
    content = linked("liba.so", "libc.musl-x86_64.so.1", "libpthread.so.0", interpreter=MUSL)
    assert link(tree, content) == Linkage(MUSL, libraries=1)
    tree["/etc/ld-musl-x86_64.path"] = "/opt\n"
    assert lacks(tree, content) == ["liba.so"]


def test_musl_inherits_runpath() -> None:
    tree: dict[str, Entry] = {
        MUSL: program(library("libc.musl-x86_64.so.1")),
        "/opt/liba.so": library("liba.so", needed=["libb.so"]),
        "/opt/libb.so": library("libb.so"),
    }
    assert link(tree, linked("liba.so", runpath="/opt", interpreter=MUSL)).missing == ()


def test_a_damaged_program_is_told() -> None:
    assert link(image(), linked("liba.so")[:-1]).damaged.startswith("truncated ELF file")


def test_a_library_that_cannot_be_read_could_not_tell() -> None:
    assert "Input/output error" in link(image(liba_so=Broken()), linked("liba.so")).unreadable


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MAX_LIBRARIES", "more than 1 libraries are needed"),
        ("MAX_LOOKUPS", "more than 1 places to look for libraries"),
        ("MAX_FILES", "more than 1 programs and libraries"),
    ],
)
def test_limits_hold(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 1)
    tree = image(liba_so=library("liba.so"), libb_so=library("libb.so"))
    assert link(tree, linked("liba.so", "libb.so")).unreadable == reason


def test_the_number_of_missing_libraries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LIBRARIES", 2)
    assert link(image(), linked("liba.so", "libb.so", "libc.so")).unreadable == "more than 2 libraries are missing"


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_cache_is_read_in_both_byte_orders_and_behind_the_old_format(order: str) -> None:
    entries = [("liba.so", "/a/liba.so"), ("liba.so", "/b/liba.so")]
    data = ld_so_cache(entries, order=order)
    assert parse_cache(data) == parse_cache(b"ld.so-1.7.0\0" + data) == {"liba.so": ["/a/liba.so", "/b/liba.so"]}


def test_a_cache_that_claims_more_than_it_has_is_damaged() -> None:
    data = bytearray(ld_so_cache([("liba.so", "/a/liba.so")]))
    struct.pack_into("<I", data, 20, 9999)
    with pytest.raises(FactError, match="9999 entries"):
        parse_cache(bytes(data))
    struct.pack_into("<I", data, 20, 2**32 - 1)
    with pytest.raises(FactError, match="more than 20000 entries"):
        parse_cache(bytes(data))


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=10))
@settings(max_examples=200, deadline=None)
def test_a_hostile_cache_raises_nothing_else(changes: list[tuple[int, int]]) -> None:
    data = bytearray(ld_so_cache([("liba.so", "/a/liba.so"), ("libb.so", "/b/libb.so")]))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        parse_cache(bytes(data))
    except FactError as error:
        assert error.message  # noqa: PT017


def test_lib_stands_for_every_folder_that_it_may_mean() -> None:
    assert expand("/opt/$LIB", "/x", "x86_64") == ["/opt/lib64", "/opt/lib", "/opt/lib/x86_64-linux-gnu"]
    assert expand("${ORIGIN}/a", "/x", "unknown") == ["/x/a"]


@pytest.mark.skipif(not shutil.which("ldd"), reason="ldd is the judge")
@pytest.mark.parametrize("name", ["sh", "python3", "ssh", "qemu-img"])
def test_a_program_of_this_host_needs_what_ldd_says(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"this host has no {name}")
    with DirectoryEngine(Path("/")) as engine:
        ((path, linkage),) = read_libraries(engine, read_commands(engine, [name])).programs.items()
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    assert linkage == Linkage(linkage.interpreter, libraries=sum("=> /" in line for line in told.splitlines()))

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.boot import Boot, read_boot
from diskimage_validator.facts.fstab import Mount, read_fstab
from diskimage_validator.facts.loader_text import Variables, parse_bls, parse_environment, parse_extlinux, parse_grub
from diskimage_validator.fstab import parse_fstab
from tests.support import node
from tests.support.memory_engine import Entry, Link, MemoryEngine


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def boot(tree: dict[str, Entry]) -> Boot:
    return read_boot(MemoryEngine(tree))


def test_debian_boots(tree: dict[str, Entry]) -> None:
    found = boot(tree)
    (kernel,) = found.kernels
    assert (kernel.version, kernel.initrd, kernel.modules) == (node.KERNEL, f"/boot/initrd.img-{node.KERNEL}", True)
    assert found.default is not None
    assert found.default.title == "Debian"
    assert found.default.values("console") == ["tty0", "ttyS0,115200"]
    assert found.default.searched == (node.UUID,)
    assert [entry.title for entry in found.entries] == ["Debian", "Debian (recovery)"]
    assert all(loaded.size for entry in found.entries for loaded in entry.initrds)


@pytest.mark.parametrize(("options", "writable"), [("ro", False), ("rw", True), ("ro rw", True), ("quiet", True)])
def test_the_root_may_start_writable(tree: dict[str, Entry], options: str, writable: bool) -> None:
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace(" ro ", f" {options} ")
    assert boot(tree).starts_writable is writable


def test_nothing_boots_in_a_container() -> None:
    assert not boot({"/etc/passwd": ""}).starts_writable
    found = boot({"/etc/passwd": ""})
    assert (found.loader, found.kernels, found.entries, found.default) == ("", (), (), None)


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("1", "Debian (recovery)"),
        ("1>0", "Debian (recovery)"),
        ("advanced>recovery", "Debian (recovery)"),
        ("Advanced>Debian (recovery)", "Debian (recovery)"),
        ("simple", "Debian"),
        ("2", None),
        ("1>1", None),
        ("0>0", None),
    ],
)
def test_the_default_by_number_title_and_id(tree: dict[str, Entry], default: str, title: str | None) -> None:
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace('default="0"', f'default="{default}"')
    entry = boot(tree).default
    assert (entry.title if entry else None) == title


def test_a_saved_default_is_in_the_environment_block(tree: dict[str, Entry]) -> None:
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace('default="0"', 'default="${saved_entry}"')
    tree["/boot/grub/grubenv"] = "# GRUB Environment Block\nsaved_entry=advanced>recovery\n####"
    entry = boot(tree).default
    assert entry is not None
    assert entry.title == "Debian (recovery)"


def test_a_boot_partition_moves_the_paths(tree: dict[str, Entry]) -> None:
    tree["/etc/fstab"] = "LABEL=a / ext4\nLABEL=b /boot ext4\n"
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace("/boot/vmlinuz", "/vmlinuz").replace(
        "/boot/initrd", "($root)/initrd"
    )
    assert all(loaded.size for entry in boot(tree).entries for loaded in (entry.kernel, *entry.initrds) if loaded)


def test_entries_of_the_boot_loader_specification(tree: dict[str, Entry]) -> None:
    tree["/boot/grub2/grub.cfg"] = 'set default="${saved_entry}"\nset kernelopts="root=UUID=x ro"\nblscfg\n'
    del tree["/boot/grub/grub.cfg"]
    for version in ("5.9.0", "5.14.0", "5.2.0"):
        text = f"title Rocky {version}\nlinux /boot/vmlinuz-{version}\ninitrd /boot/initramfs-{version}.img $tuned\n"
        tree[f"/boot/loader/entries/id-{version}.conf"] = text + "options $kernelopts console=ttyS0\ngrub_class rocky\n"
    found = boot(tree)
    assert [entry.title for entry in found.entries] == ["Rocky 5.14.0", "Rocky 5.9.0", "Rocky 5.2.0"]
    assert found.default is not None
    assert found.default.options == ("root=UUID=x", "ro", "console=ttyS0")
    tree["/boot/grub2/grubenv"] = "saved_entry=id-5.2.0\n"
    entry = boot(tree).default
    assert entry is not None
    assert entry.title == "Rocky 5.2.0"
    assert [loaded.path for loaded in entry.initrds] == ["/boot/initramfs-5.2.0.img"]


def test_extlinux(tree: dict[str, Entry]) -> None:
    del tree["/boot/grub/grub.cfg"]
    tree["/boot/extlinux/extlinux.conf"] = (
        "DEFAULT two\nLABEL one\n LINUX ../a\nlabel two\n  kernel ../vmlinuz-1\n  append root=LABEL=x initrd=../i\n"
    )
    found = boot(tree)
    assert found.default is not None
    assert (found.default.title, found.default.options) == ("two", ("root=LABEL=x",))
    assert found.default.initrds[0].path == "/boot/i"


def test_secrets_on_the_command_line_are_left_out(tree: dict[str, Entry]) -> None:
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace(" ro ", " ro password=hunter2 ")
    assert "hunter2" not in repr(boot(tree))


def test_links_in_a_circle_are_not_there(tree: dict[str, Entry]) -> None:
    tree[f"/boot/vmlinuz-{node.KERNEL}"] = Link(f"vmlinuz-{node.KERNEL}")
    found = boot(tree)
    assert found.kernels[0].size == 0
    assert found.entries[0].kernel is not None
    assert found.entries[0].kernel.size is None


def test_fstab() -> None:
    text = b"# c\n\nLABEL=my\\040root / ext4 rw,password=x 0 1\n//u:p@host/share /mnt cifs\nshort line\n"
    with MemoryEngine({"/etc/fstab": text}) as engine:
        assert read_fstab(engine) == (
            Mount("LABEL=my root", "/", "ext4", ("rw", "password"), 3),
            Mount("//host/share", "/mnt", "cifs", (), 4),
        )


def test_too_much_is_refused() -> None:
    with pytest.raises(FactError, match="more than"):
        parse_grub(b"menuentry x {\n}\n" * 2_000, "p", {})
    with pytest.raises(FactError, match="variables stand for more than"):
        parse_grub(b"set a=xx\n" + b"set a=$a$a\n" * 40, "p", {})
    with pytest.raises(FactError, match="deep"):
        parse_grub(b"if a; then {\n" * 2_000, "p", {})
    with MemoryEngine({"/etc/fstab": "a b c\n" * 20_000}) as engine, pytest.raises(FactError, match="more than"):
        read_fstab(engine)


TEXT = st.lists(
    st.sampled_from(
        (
            b"menuentry ",
            b"'a' ",
            b'"b\\"',
            b"{",
            b"}",
            b"\n",
            b"linux /x",
            b" initrd ",
            b"set default=",
            b"${x}",
            b"$y ",
            b"#",
        )
    )
).map(b"".join)


@given(st.one_of(TEXT, st.binary()))
def test_any_menu_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FactError):
        parse_grub(data, "p", {"x": "1"})
    parse_bls(data, 0, "a.conf", Variables())
    parse_extlinux(data)
    parse_environment(data)
    list(parse_fstab(data))

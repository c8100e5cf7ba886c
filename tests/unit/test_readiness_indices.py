"""Indices of packages: what depends on what, and what is no index however much it looks like one."""

import hashlib
import io
from collections.abc import Mapping

import pytest
import zstandard

from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.facts.storage import PackageSet, Stored
from diskimage_validator.readiness.probes.indices import rpm, xml_stream
from diskimage_validator.readiness.probes.indices.boolean import alternatives
from diskimage_validator.readiness.probes.indices.closure import closure
from diskimage_validator.readiness.probes.indices.package import Package
from diskimage_validator.readiness.probes.indices.repomd import Listed, parse_repomd
from diskimage_validator.readiness.probes.indices.rpm import is_unlisted, owners, rpm_packages
from diskimage_validator.readiness.probes.indices.xml_stream import parse_xml
from diskimage_validator.readiness.probes.packages import MAX_WINDOW, _plain

LIMIT = 4 * 1024 * 1024
COMMON, RPM = "http://linux.duke.edu/metadata/common", "http://linux.duke.edu/metadata/rpm"
DIGEST = "ab" * 32


def elements(text: str | bytes) -> list[tuple[str, str]]:
    """Return the elements with their text, as they end."""
    found: list[tuple[str, str]] = []

    def start(_: str, __: Mapping[str, str]) -> None:
        pass

    data = text if isinstance(text, bytes) else text.encode()
    parse_xml(io.BytesIO(data), start, lambda name, said: found.append((name, said)), LIMIT)
    return found


def test_elements_come_with_their_namespace_and_text() -> None:
    text = '<a xmlns="urn:one" xmlns:two="urn:two"> <b>1 &lt; <![CDATA[2]]></b><two:c/> </a>'
    assert elements(text) == [("urn:one b", "1 < 2"), ("urn:two c", ""), ("urn:one a", " ")]


LAUGHS = '<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "ha">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "a document type"),
        (LAUGHS.encode("utf-16"), "a document type"),
        ('<?xml version="1.0" encoding="no-such"?>' + LAUGHS, "a document type"),
        ('<?xml version="1.0" encoding="utf-7"?><a>+ADw-</b>', "mismatched tag"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "a document type"),
        ("<a>&b;</a>", "undefined entity"),
        ("", "no element found"),
        ("<a><b>", "no element found"),
        ("<a></b>", "mismatched tag"),
        (b"<a>\xff</a>", "not well-formed"),
        (b"\x1f\x8b\x08", "not well-formed"),
        ("<a>" * 33 + "</a>" * 33, "more than 32 levels"),
        (f"<a>{'x' * 65_537}</a>", "more than 64 KiB of text"),
        (f'<a b="{"x" * 2_000_000}"/>', "a tag of more than 1024 KiB"),
        (f"<a><!-- {'x' * 2_000_000} --></a>", "a tag of more than 1024 KiB"),
        ("<a>" + " " * 64 + "<b/>" * 1_100_000 + "</a>", "more than 4 MiB of XML"),
    ],
)
def test_what_xml_is_not_read(text: str | bytes, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        elements(text)


def repomd(body: str) -> Listed:
    text = f'<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="other"/>{body}</repomd>'
    return parse_repomd(io.BytesIO(text.encode()))["primary"]


def primary(href: str = "repodata/p.xml.gz", algorithm: str = "sha256", kind: str = "primary") -> str:
    checksums = f'<checksum type="{algorithm}">{DIGEST}</checksum><open-checksum type="sha256">00</open-checksum>'
    return f'<data type="{kind}">{checksums}<location href="{href}"/></data>'


def test_repomd_tells_where_the_list_of_packages_is() -> None:
    assert repomd(primary()) == Listed("repodata/p.xml.gz", "sha256", DIGEST)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no 'primary'"),
        (primary(kind="primary_db"), "no 'primary'"),
        (primary(algorithm="md5"), "no checksum of 'primary' that counts"),
        (primary(algorithm=""), "no checksum of 'primary' that counts"),
        *(
            (primary(href), "no place of 'primary'")
            for href in ("", "/etc/passwd", "../p", "a/../../p", "https://192.0.2.1/p", "a//p", "p?q", "p\u00e9", ".p")
        ),
    ],
)
def test_repomd_does_not_lead_elsewhere(body: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        repomd(body)


def test_a_file_is_the_one_that_is_listed() -> None:
    file = io.BytesIO(b"content")
    Listed("p", "sha512", hashlib.sha512(b"content").hexdigest()).verify(file)
    assert file.read() == b"content"
    with pytest.raises(EngineError, match="p has not the sha256"):
        Listed("p", "sha256", hashlib.sha256(b"other").hexdigest()).verify(io.BytesIO(b"content"))


def listed(*bodies: str) -> list[Package]:
    found: list[Package] = []
    packages = "".join(f'<package type="rpm">{body}</package>' for body in bodies)
    text = f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}">{packages}</metadata>'
    rpm_packages(io.BytesIO(text.encode()), found.append, relations=True)
    return found


HEAD = f'<name>a</name><arch>noarch</arch><checksum type="sha256" pkgid="YES">{DIGEST}</checksum>'
SIZE = '<size package="7" installed="9" archive="8"/>'


def test_a_package_of_primary_xml() -> None:
    relations = """<format>
        <rpm:provides><rpm:entry name="a" flags="EQ" epoch="0" ver="1" rel="2"/></rpm:provides>
        <rpm:requires><rpm:entry name="rpmlib(X)" pre="1"/><rpm:entry name="(b or c)"/></rpm:requires>
        <rpm:conflicts><rpm:entry name="d"/></rpm:conflicts>
        <file>/usr/bin/a</file></format>"""
    version = '<version epoch="1" ver="2" rel="3"/>'
    assert listed(HEAD + version + SIZE + relations, HEAD + SIZE) == [
        Package("a", "noarch", "1:2-3", ("a", "/usr/bin/a"), (("b", "c"),), Stored(DIGEST, 7)),
        Package("a", "noarch", "", (), (), Stored(DIGEST, 7)),
    ]


@pytest.mark.parametrize(
    "body", [HEAD, SIZE, HEAD + '<size package="-1"/>', HEAD + '<size package="1e9"/>', HEAD + '<size package="²"/>']
)
def test_a_package_without_a_size_is_no_package(body: str) -> None:
    with pytest.raises(EngineError, match="the index tells no name, size or checksum"):
        listed(body)


def test_packages_and_capabilities_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpm, "MAX_CAPABILITIES", 3)
    with pytest.raises(EngineError, match="more than 3 capabilities"):
        listed(*[f"{HEAD}{SIZE}<format><file>/a</file><file>/b</file></format>"] * 2)
    monkeypatch.setattr(rpm, "MAX_PACKAGES", 1)
    with pytest.raises(EngineError, match="more than 1 packages"):
        listed(HEAD + SIZE, HEAD + SIZE)
    monkeypatch.setattr(xml_stream, "MAX_DEPTH", 2)
    with pytest.raises(EngineError, match="more than 2 levels"):
        listed(HEAD + SIZE)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("a", "a"),
        ("libc.so.6(GLIBC_2.4)(64bit)", "libc.so.6(GLIBC_2.4)(64bit)"),
        ("(a and b >= 1.0-1)", "a & b"),
        ("(a or b(x86-64) or c)", "a|b(x86-64)|c"),
        ("((a or libb.so()(64bit)) and c)", "a|libb.so()(64bit) & c"),
        ("(a with b < 2)", "a & b"),
        ("(a without b)", "a"),
        ("(a if b)", "a|"),
        ("(a if b else c)", "a| & c|"),
        ("(a >= 1 if (b or c))", "a|"),
        ("(a unless b)", "a|"),
    ],
)
def test_boolean_dependencies(text: str, groups: str) -> None:
    assert alternatives(text) == tuple(tuple(group.split("|")) for group in groups.split(" & "))


@pytest.mark.parametrize(
    "text", ["(", "()", "(a", "(a b)", "(a and)", "(a xor b)", "(a) b", "(a >=)", "(" * 5000 + "a" + ")" * 5000]
)
def test_what_is_no_boolean_dependency(text: str) -> None:
    with pytest.raises(EngineError, match="boolean dependency"):
        alternatives(text)


def package(
    name: str, *depends: str, version: str = "1", architecture: str = "x86_64", provides: tuple[str, ...] = ()
) -> Package:
    groups = tuple(tuple(group.split("|")) for group in depends)
    identity = f"{name}-{version}.{architecture}"
    return Package(name, architecture, version, provides, groups, Stored(identity, 1))


def names(found: PackageSet) -> list[str]:
    return sorted(file.digest for file in found.files)


def test_of_several_versions_the_newest_counts() -> None:
    for manager, versions in (("rpm", ("9-1", "10~rc1-1", "10-1", "10-1")), ("dpkg", ("9", "10~rc1", "1:1"))):
        pool = [package("a", version=version) for version in versions]
        assert names(closure(pool, ["a"], manager)) == [f"a-{versions[-1]}.x86_64"]


def test_an_architecture_depends_on_its_own() -> None:
    # Indices list them by name and architecture: i686 comes first.
    pool = [package(name, "libc", architecture=arch) for name in ("app", "glue") for arch in ("i686", "x86_64")]
    pool += [package("libc", architecture=arch) for arch in ("i686", "x86_64")]
    pool += [package("script", "glue", architecture="noarch"), package("old", "script", "libc", architecture="i686")]
    pool += [package("most"), package("of-them")]
    assert names(closure(pool, ["app"], "rpm")) == ["app-1.x86_64", "libc-1.x86_64"]
    assert names(closure(pool, ["script"], "rpm")) == ["glue-1.x86_64", "libc-1.x86_64", "script-1.noarch"]
    found = names(closure(pool, ["old"], "rpm"))
    assert found == ["glue-1.i686", "libc-1.i686", "old-1.i686", "script-1.noarch"]


def test_what_is_not_there_and_circles() -> None:
    pool = [package("a", "b"), package("b", "a", "c|d", "e|"), package("f", "/usr/bin/f")]
    assert closure(pool, ["a", "z"], "rpm").missing == ("z",)
    assert closure(pool, ["a"], "rpm").unmet == ("b: c | d",)
    assert closure(pool, ["f"], "rpm").unmet == ("f: /usr/bin/f",)


def test_who_has_a_file_that_primary_xml_does_not_list() -> None:
    assert [is_unlisted(path) for path in ("/usr/bin/a", "/etc/a", "/usr/lib/sendmail", "a", "/usr/libexec/a")] == [
        *[False] * 4,
        True,
    ]
    listing = """<filelists xmlns="http://linux.duke.edu/metadata/filelists">
        <package pkgid="one" name="a" arch="noarch"><file>/a</file><file type="dir">/b</file></package>
        <package pkgid="two" name="b" arch="noarch"><file>/b</file><file>/c</file></package></filelists>"""
    assert owners(io.BytesIO(listing.encode()), {"/b", "/d"}) == {"one": ["/b"], "two": ["/b"]}


def test_zstd_does_not_take_more_memory_than_is_given() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = packer.compress(b"x" * 100) + packer.flush()
    assert MAX_WINDOW < 1 << 28
    with pytest.raises(zstandard.ZstdError, match="memory"):
        _plain(io.BytesIO(frame), "p.xml.zst").read()
    assert _plain(io.BytesIO(zstandard.compress(b"<a/>")), "p.xml.zst").read() == b"<a/>"

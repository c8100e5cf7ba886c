import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_image_factory.errors import BuildError
from airgap_image_factory.mirror import Mirror, choose_mirror, probe
from diskimage_validator.errors import UsageError


def test_the_security_archive_lies_beside_the_archive() -> None:
    mirror = choose_mirror("https://mirror.internal/debian/", None)
    assert mirror == Mirror("https://mirror.internal/debian", "https://mirror.internal/debian-security")


def test_the_security_archive_can_be_named() -> None:
    assert choose_mirror("https://a.internal/x", "https://b.internal/y").security == "https://b.internal/y"


def test_an_archive_without_a_telling_name_needs_the_security_archive() -> None:
    with pytest.raises(UsageError, match="no security archive known"):
        choose_mirror("https://mirror.internal/repo", None)


@pytest.mark.parametrize("url", ["mirror.internal/debian", "ftp://mirror.internal/debian", "https:///debian", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no http or https URL"):
        choose_mirror(url, None)


def test_a_url_without_tls_needs_an_explicit_word() -> None:
    with pytest.raises(UsageError, match="not protected by TLS") as caught:
        choose_mirror("http://mirror.internal/debian", None)
    assert "--allow-plain-http" in caught.value.hint
    assert choose_mirror("http://mirror.internal/debian", None, plain_http=True).archive.startswith("http://")
    with pytest.raises(UsageError, match="not protected by TLS"):
        choose_mirror("https://mirror.internal/debian", "http://mirror.internal/debian-security")


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        choose_mirror("https://user:hunter2@mirror.internal/debian", None)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """Serve a folder on loopback that looks like the top of a Debian mirror with bookworm only."""
    for base, suite in (("debian", ""), ("debian", "-updates"), ("debian-security", "-security")):
        folder = tmp_path / base / "dists" / f"bookworm{suite}"
        folder.mkdir(parents=True)
        (folder / "InRelease").write_text("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, directory=str(tmp_path), **options)  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/debian"
        server.shutdown()


def test_a_mirror_that_has_every_suite_passes(archive: str) -> None:
    probe(choose_mirror(archive, None, plain_http=True), "bookworm", [])


def test_a_suite_that_is_not_there_is_named(archive: str) -> None:
    with pytest.raises(BuildError, match="trixie/InRelease: 404") as caught:
        probe(choose_mirror(archive, None, plain_http=True), "trixie", [])
    assert "trixie" in caught.value.hint


def test_an_unreachable_mirror_is_named() -> None:
    with pytest.raises(BuildError, match=r"127.0.0.1:1/debian/dists/bookworm/InRelease: .*refused"):
        probe(choose_mirror("http://127.0.0.1:1/debian", None, plain_http=True), "bookworm", [])

"""What object stores answer, where it is not what they should: parsed without a network."""

from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.readiness.facts.object_stores import S3Bucket, StoreRoom, SwiftContainer
from diskimage_validator.readiness.probes import s3, swift
from diskimage_validator.readiness.probes.buckets import BucketError
from diskimage_validator.readiness.probes.http import Reply
from diskimage_validator.readiness.probes.keystone import Session, log_in
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret

ACCOUNT = "https://swift.internal/v1/AUTH_ci"


@pytest.fixture
def means(tmp_path: Path) -> Means:
    (tmp_path / "key").write_text("AKIA\n")
    return Means(1, (), tmp_path, (), SshOptions())


def answering(monkeypatch: pytest.MonkeyPatch, module: Any, *replies: Reply) -> list[str]:
    """Let the module's requests be answered with ``replies`` in turn, the last for ever; return what is asked."""
    asked: list[str] = []

    def answer(_: Means, method: str, url: str, **__: Any) -> Reply:
        asked.append(f"{method} {url}")
        return replies[min(len(asked), len(replies)) - 1]

    monkeypatch.setattr(module, "ask_http", answer)
    return asked


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def bucket(means: Means) -> s3.S3:
    key = Secret("file", "key")
    return s3.S3(S3Bucket("https://s3.internal/base", "logs", "us-east-1", key, key), means)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<Error><Code>AccessDenied</Code></Error>", "this account may not do that (AccessDenied)"),
        (b"<Code>Teapot</Code>", "HTTP status 403 Teapot"),
        (b"<Code>\x1b[2J</Code>", "HTTP status 403"),
        (b"<Code>" + b"A" * 100_000, "HTTP status 403"),
        (b"\xff\xfe", "HTTP status 403"),
        (b"", "HTTP status 403"),
    ],
)
def test_errors_of_s3(monkeypatch: pytest.MonkeyPatch, means: Means, body: bytes, said: str) -> None:
    answering(monkeypatch, s3, reply(403), reply(403, body))
    with pytest.raises(BucketError) as caught:
        bucket(means).look()
    assert str(caught.value) == said


def test_another_region_is_told(monkeypatch: pytest.MonkeyPatch, means: Means) -> None:
    answering(monkeypatch, s3, reply(301, x_amz_bucket_region="eu\x1b"))
    with pytest.raises(BucketError, match=r"^the bucket is in the region eu\\x1b$"):
        bucket(means).look()


def test_a_service_that_fails_may_have_written(monkeypatch: pytest.MonkeyPatch, means: Means) -> None:
    answering(monkeypatch, s3, reply(503, b"<Code>SlowDown</Code>"))
    with pytest.raises(BrokenError, match=r"^HTTP status 503 SlowDown$"):
        bucket(means).put("name", b"x")


def test_a_list_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch, means: Means) -> None:
    page = b"<Size>5</Size><Size>-1</Size><Size>x</Size><NextContinuationToken>a&amp;b c</NextContinuationToken>"
    asked = answering(monkeypatch, s3, reply(200, page))
    found = bucket(means).room()
    assert found == StoreRoom(used=5 * s3.MAX_PAGES, untold="the bucket logs holds too much to be listed")
    assert asked[:2] == [
        "GET https://s3.internal/base/logs?list-type=2",
        "GET https://s3.internal/base/logs?list-type=2&continuation-token=a%26b%20c",
    ]
    assert len(asked) == s3.MAX_PAGES


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "\u00e9", "x" * 201])
def test_what_is_no_key(means: Means, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("KEY", key)
    place = S3Bucket("https://s3.internal", "logs", "us-east-1", Secret("env", "KEY"), Secret("file", "key"))
    with pytest.raises(UsageError, match=r"^env:KEY is no key of S3$"):
        s3.S3(place, means)


def container(monkeypatch: pytest.MonkeyPatch, means: Means) -> swift.Swift:
    monkeypatch.setattr(swift, "log_in", lambda *_: Session("token", (("object-store", ACCOUNT),)))
    return swift.Swift(SwiftContainer(Secret("env", "CLOUDS"), "internal", "a b?#%"), means)


@pytest.mark.parametrize(
    ("account", "quota", "used"),
    [
        ({"x_account_quota_bytes": "100", "x_account_bytes_used": "30"}, 100, 30),
        ({"x_account_meta_quota_bytes": "100"}, 100, 7),
        (
            {
                "x_account_quota_bytes": "100",
                "x_account_bytes_used": "30",
                "x_account_quota_bytes_policy_gold": "50",
                "x_account_storage_policy_gold_bytes_used": "20",
            },
            50,
            20,
        ),
        ({"x_account_quota_bytes_policy_silver": "50"}, None, 0),
        ({"x_account_quota_bytes": "-1"}, None, 0),
        ({"x_account_quota_bytes": "9" * 5000}, None, 0),
        ({"x_account_quota_bytes": "\u0663"}, None, 0),
    ],
)
def test_quotas_of_swift(
    monkeypatch: pytest.MonkeyPatch, means: Means, account: dict[str, str], quota: int | None, used: int
) -> None:
    store = container(monkeypatch, means)
    asked = answering(
        monkeypatch, swift, reply(204, x_container_bytes_used="7", x_storage_policy="Gold"), reply(204, b"", **account)
    )
    assert store.room() == StoreRoom(None, 7, ACCOUNT, quota, used)
    assert asked == [f"HEAD {ACCOUNT}/a%20b%3F%23%25", f"HEAD {ACCOUNT}"]


def test_a_password_in_the_url_of_keystone_is_not_repeated(means: Means, tmp_path: Path) -> None:
    auth = "{auth_url: 'https://u:hidden@keystone.invalid/v3', username: u, password: hidden, project_name: p}"
    (tmp_path / "clouds.yaml").write_text(f"clouds: {{internal: {{auth: {auth}}}}}")
    with pytest.raises(UsageError, match="auth_url: missing, or not what is wanted") as seen:
        log_in(Secret("file", "clouds.yaml"), "internal", means)
    assert "hidden" not in f"{seen.value.message} {seen.value.hint}"

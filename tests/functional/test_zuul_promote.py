"""Promotion, played by Ansible: a validated image reaches the other store, and nothing else does, for every reason.

All cases are hosts of one play, which is this host under several names.
"""

import datetime
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from diskimage_validator.attestation.envelope import sign
from diskimage_validator.attestation.keys import private_key
from diskimage_validator.attestation.statement import Statement
from diskimage_validator.policy import load_policy
from tests.functional.object_store import ObjectStore, object_store
from tests.functional.zuul_application import Build, install

IMAGE = b"an image, as far as a store is concerned\n" * 1000
KEY, OLD_KEY, OTHER_KEY = (generate_private_key(SECP256R1()) for _ in range(3))
POLICY = load_policy("container-node")
NOW = datetime.datetime.now(datetime.UTC)
SOUND = Statement(
    image="node.qcow2",
    sha256=hashlib.sha256(IMAGE).hexdigest(),
    result="PASSED",
    policy=POLICY.name,
    policy_sha256=POLICY.digest,
    version="1.0",
    engine="direct",
    started=NOW,
    threshold="warning",
    passed=("os",),
)


def public(key: EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True)
class Case:
    """What is promoted, and what is said about it; ``reason`` is why not, or empty."""

    reason: str = ""
    statement: Statement = SOUND
    key: EllipticCurvePrivateKey | None = KEY
    damage: tuple[bytes, bytes] = (b"", b"")
    image: bytes = IMAGE
    compressed: bool = False
    downloads: bool = False
    variables: dict[str, Any] = field(default_factory=dict)


OLD = replace(SOUND, started=NOW - datetime.timedelta(days=15))
CASES = {
    "sound": Case(downloads=True),
    "compressed": Case(downloads=True, compressed=True),
    "warned": Case(downloads=True, statement=replace(SOUND, result="WARNED")),
    "older-key": Case(downloads=True, key=OLD_KEY),
    "unsigned-as-wished": Case(
        downloads=True, key=None, variables={"diskimage_public_keys": [], "diskimage_unsigned": True}
    ),
    "digest-demanded": Case(downloads=True, variables={"diskimage_policy_digest": POLICY.digest}),
    "other-sha256": Case("the statement is about", replace(SOUND, sha256="a" * 64)),
    "failed": Case("the image failed: os", replace(SOUND, result="FAILED", failed=("os",))),
    "unsigned": Case("the statement is not valid", key=None),
    "other-key": Case("no signature of a key that is trusted here", key=OTHER_KEY),
    "damaged": Case("no signature of a key that is trusted here", damage=(b'"payload": "ewog', b'"payload": "ewoK')),
    "other-policy": Case("held against the policy", replace(SOUND, policy_sha256="b" * 64)),
    "other-digest": Case("held against the policy", variables={"diskimage_policy_digest": "c" * 64}),
    "too-old": Case("longer ago than is allowed", OLD),
    "neither-key-nor-unsigned": Case("name the key that is trusted", variables={"diskimage_public_keys": []}),
    "other-bytes": Case("The checksum for", image=IMAGE + b"!", downloads=True),
    "other-bytes-compressed": Case("refused: the image has", image=IMAGE + b"!", downloads=True, compressed=True),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as running:
        yield running


def variables_of(name: str, case: Case, folder: Path, store: ObjectStore) -> dict[str, Any]:
    """Put the case's image and statement into the store, and return the variables of its host."""
    pem = (case.key or KEY).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    statement = case.statement.encoded()
    if case.key is not None:
        statement = sign(statement, private_key(pem, name)).replace(*case.damage)
    image, ending = case.image, ""
    if case.compressed:
        image = subprocess.run(["zstd", "--stdout"], input=image, stdout=subprocess.PIPE, check=True).stdout
        ending = ".zst"
    return {
        "build_diskimage_image_root": str(folder / name),
        "promote_diskimage_name": "node",
        "promote_diskimage_format": "qcow2",
        "promote_diskimage_sha256": SOUND.sha256,
        "promote_diskimage_url": store.put(f"staging/{name}/node.qcow2{ending}", image),
        "promote_diskimage_statement_url": store.put(f"staging/{name}/statement.json", statement),
        "diskimage_max_age": "14d",
        "diskimage_public_keys": [public(OLD_KEY), public(KEY)],
        "diskimage_upload": {
            "endpoint": store.url,
            "bucket": f"production-{name}",
            "aws_access_key": "zuul",
            "aws_secret_key": "secret",
        },
        **case.variables,
    }


@pytest.fixture(scope="module")
def played(image_folder: Path, store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Play all cases at once."""
    folder = tmp_path_factory.mktemp("promote")
    program = folder / "diskimage-validator"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m diskimage_validator "$@"\n')
    program.chmod(0o755)
    hosts = {name: variables_of(name, case, folder, store) for name, case in CASES.items()}
    common = {
        "diskimage_validator_command": str(program),
        "diskimage_policy": POLICY.name,
        "upload_validated_diskimage_role": "upload-image-s3",
    }
    build = Build(install(image_folder / "zuul"), folder / "build", common, hosts)
    assert not build.play("playbooks/image-promote/run.yaml")
    return build


def of_kind(*, refused: bool) -> Sequence[str]:
    return [name for name, case in CASES.items() if bool(case.reason) is refused]


@pytest.mark.parametrize("name", of_kind(refused=False))
def test_a_validated_image_is_promoted(played: Build, store: ObjectStore, name: str) -> None:
    assert list(store.stored(f"production-{name}").values()) == [IMAGE]


@pytest.mark.parametrize("name", of_kind(refused=True))
def test_every_other_is_refused_with_the_reason(played: Build, store: ObjectStore, name: str) -> None:
    assert store.stored(f"production-{name}") == {}
    said = [line for line in played.output.split("\nfatal: ") if line.startswith(f"[{name}]")]
    assert len(said) == 1
    assert CASES[name].reason in said[0].partition("\n\n")[0]


@pytest.mark.parametrize("name", CASES)
def test_the_statement_is_asked_before_the_image_is_downloaded(played: Build, store: ObjectStore, name: str) -> None:
    asked = [line.rpartition("/")[2] for line in store.asked if line.startswith(f"GET /staging/{name}/")]
    ending = ".zst" if CASES[name].compressed else ""
    assert asked == ["statement.json", *([f"node.qcow2{ending}"] if CASES[name].downloads else [])]

"""OCI layouts made of given layers, and the way into a registry: https://github.com/opencontainers/image-spec."""

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.functional.registry import Registry

_OCI = "application/vnd.oci.image"


def put_image(registry: Registry, name: str, platforms: Mapping[str, Sequence[bytes]], folder: Path) -> int:
    """Push an image with these layers for each platform as an index, or alone if it is one; return all its bytes."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    stored: dict[str, int] = {}

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / "sha256" / digest).write_bytes(data)
        stored[digest] = len(data)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def document(content: dict[str, Any], kind: str) -> dict[str, Any]:
        return blob(json.dumps(content).encode(), kind)

    manifests = []
    for platform, layers in platforms.items():
        described = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
        stack = [blob(layer, "layer.v1.tar") for layer in layers]
        config = {
            **described,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in stack]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": document(config, "config.v1+json"),
            "layers": stack,
        }
        entry = document(manifest, "manifest.v1+json")
        manifests.append({**entry, "platform": described})
    tops = manifests
    if len(manifests) > 1:
        index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": manifests}
        tops = [document(index, "index.v1+json")]
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    tops[0]["annotations"] = {"org.opencontainers.image.ref.name": "made"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": tops}))
    certificates = registry.folder / "certs"
    command = [
        "skopeo",
        "copy",
        "--quiet",
        "--all",
        "--preserve-digests",
        "--insecure-policy",
        "--dest-cert-dir",
        str(certificates),
    ]
    subprocess.run([*command, f"oci:{folder}:made", f"docker://127.0.0.1:{registry.port}/{name}"], check=True)
    return sum(stored.values())

"""Runs in the environment that Zuul is installed in: what its web server says of images, as JSON.

Standard input is an object of lists of uploads with the properties of ``zuul.model.ImageUpload``, and ``artifact`` with
those of ``ImageBuildArtifact``; all are of the image that is the argument. Standard output is an object with the answer
to ``/images`` for each list. What is missing is ZooKeeper, where Zuul has them.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any

from zuul.model import ImageBuildArtifact, ImageUpload
from zuul.web import ImageConverter


def main() -> None:
    json.dump({case: [answer(sys.argv[1], uploads)] for case, uploads in json.load(sys.stdin).items()}, sys.stdout)


def answer(image: str, found: list[dict[str, Any]]) -> Any:
    name = f"git.internal/images/{image}"
    artifacts, uploads = [], []
    for number, given in enumerate(found):
        artifact, upload = ImageBuildArtifact(), ImageUpload()
        built: dict[str, Any] = {"uuid": f"a{number}", "canonical_name": name, **given.pop("artifact")}
        artifact._set(build_tenant_name="images", state_time=0, **built)
        upload._set(uuid=f"u{number}", canonical_name=name, artifact_uuid=f"a{number}", state_time=0, **given)
        artifacts.append(artifact)
        uploads.append(upload)
    project = {"project_canonical_name": "git.internal/images", "branch": "main"}
    whole = SimpleNamespace(name=image, canonical_name=name, type="zuul", **project)
    return ImageConverter.toDict(SimpleNamespace(name="images"), whole, artifacts, uploads)


if __name__ == "__main__":
    main()

"""Zuul's own parser reads the jobs, and what the manual shows, without an error; and what they name is there."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from diskimage_builder.element_dependencies import get_elements

from tests.elements.fakeroot import ELEMENTS_PATH
from tests.functional.zuul_application import ROOT, Zuul, install

FILES = [ROOT / name for name in (".zuul.d/jobs.yaml", "zuul-samples/images.yaml", "zuul-samples/pipelines.yaml")]

SHARED = "/share/airgap-image-factory/elements"

Parsed = dict[str, Any]


@pytest.fixture(scope="session")
def zuul(image_folder: Path) -> Zuul:
    return install(image_folder / "zuul")


@pytest.fixture(scope="session")
def parsed(zuul: Zuul) -> list[Parsed]:
    return zuul.parsed(*FILES)


def test_the_configuration_is_zuuls(parsed: list[Parsed]) -> None:
    assert [found["errors"] for found in parsed] == [[], [], []]
    jobs, images, pipelines = parsed
    assert all(job["abstract"] for job in jobs["jobs"].values())
    for job in images["jobs"].values():
        assert job["parent"] in jobs["jobs"]
        assert job["image"] in (*images["images"], None)
    (project,) = images["projects"]
    assert {pipeline: found["jobs"] for pipeline, found in project.items()} == {
        "image": ["build-debian-bookworm-airgap"],
        "image-validate": ["validate-debian-bookworm-airgap"],
        "image-promote": ["promote-debian-bookworm-airgap"],
    }
    assert set(project) == set(pipelines["pipelines"])


def test_the_elements_of_every_image_resolve(parsed: list[Parsed]) -> None:
    """diskimage-builder's own resolver raises for what is missing, the element of a block device among it.

    The programs are where the elements are installed: Ansible's PATH has no place of ours.
    """
    builds = [job["variables"] for job in parsed[1]["jobs"].values() if job["parent"] == "airgap-image-build"]
    assert builds
    for variables in builds:
        installed = variables["build_validated_diskimage_environment"]["ELEMENTS_PATH"].removesuffix(SHARED)
        for program in ("build_validated_diskimage_command", "diskimage_validator_command"):
            assert str(Path(variables[program]).parent) == f"{installed}/bin"
        found = dict(get_elements(variables["build_diskimage_elements"], ELEMENTS_PATH))
        assert found.keys() >= {"block-device-loop-mbr", "zuul-node"}


def test_a_built_image_is_validated_on_a_node_before_it_is_used(parsed: list[Parsed]) -> None:
    pipelines = parsed[2]["pipelines"]
    assert pipelines["image"]["builds_images"]
    assert True not in pipelines["image"]["validated"]  # so that Zuul asks for a validation
    assert pipelines["image-validate"]["validated"] == [True]
    assert pipelines["image-validate"]["refused"] == [False]


def test_whoever_promotes_says_what_and_not_what_is_demanded_of_it(parsed: list[Parsed]) -> None:
    (project,) = parsed[1]["projects"]
    names = {f"promote_diskimage_{name}" for name in ("url", "sha256", "statement_url")}
    assert set(project["image-promote"]["parameters"]) == names
    assert parsed[2]["pipelines"]["image-promote"]["allows_parameters"]
    demanded = {"diskimage_policy", "diskimage_public_keys", "diskimage_max_age"}
    assert demanded <= set(parsed[1]["jobs"]["promote-debian-bookworm-airgap"]["variables"])


def test_what_the_jobs_name_is_there(parsed: list[Parsed]) -> None:
    for job in parsed[0]["jobs"].values():
        for playbook in job["run"] + job["post_run"]:
            for play in yaml.safe_load((ROOT / playbook).read_text()):
                for role in play["roles"]:
                    name = role if isinstance(role, str) else role["role"]
                    assert (ROOT / "roles" / name / "tasks/main.yaml").is_file()


def test_the_parser_finds_mistakes(zuul: Zuul, tmp_path: Path) -> None:
    wrong = []
    for number, change in enumerate([("abstract:", "abstrakt:"), ("timeout: 7200", "timeout: long")]):
        wrong.append(tmp_path / f"{number}.yaml")
        wrong[-1].write_text(FILES[0].read_text().replace(*change))
    wrong.append(tmp_path / "pipelines.yaml")
    wrong[-1].write_text(FILES[2].read_text().replace("image-validated: true", "image-validated: maybe"))
    assert all(found["errors"] for found in zuul.parsed(*wrong))


def test_every_variable_of_a_role_is_in_its_readme() -> None:
    for defaults in ROOT.glob("roles/*/defaults/main.yaml"):
        readme = (defaults.parents[1] / "README.rst").read_text()
        for name in yaml.safe_load(defaults.read_text()):
            assert f".. zuul:rolevar:: {name}\n" in readme or name.endswith(("_base", "_file", "_compressed")), name

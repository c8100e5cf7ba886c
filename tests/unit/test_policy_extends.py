"""``extends``: policies on top of each other, from shipped ones and from files."""

from pathlib import Path

import pytest
import yaml

from diskimage_validator.errors import PolicyError
from diskimage_validator.policy import load_policy, resolve
from tests.support import pki


def store(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"version: 1\nname: {name}\n{text}")
    return str(path)


def errors_of(path: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    return caught.value.message


def test_mappings_merge_lists_add_and_the_rest_replaces(tmp_path: Path) -> None:
    store(
        tmp_path,
        "base",
        "description: of the base\narchitecture: x86_64\npackages: {required: [jq, skopeo]}\ndisk: {min_free: 1 GB}\n",
    )
    child = store(
        tmp_path,
        "child",
        "extends: base.yaml\narchitecture: aarch64\npackages: {required: [jq, podman]}\n"
        "disk: {max_virtual_size: 9 GB}\nseverity: {disk: info}\n",
    )
    rules = load_policy(child).rules
    assert (rules.name, rules.description, rules.architecture) == ("child", "", "aarch64")
    assert [str(relation) for relation in rules.packages.required] == ["jq", "skopeo", "podman"]
    assert (rules.disk.min_free, rules.disk.max_virtual_size) == (10**9, 9 * 10**9)


def test_a_shipped_policy_can_be_extended(tmp_path: Path) -> None:
    base = load_policy("container-node").rules
    rules = load_policy(store(tmp_path, "ours", "extends: container-node\npackages: {required: [git]}\n")).rules
    assert [str(relation) for relation in rules.packages.required] == [*map(str, base.packages.required), "git"]
    assert rules.commands == base.commands


def test_override_replaces_a_list_or_a_mapping(tmp_path: Path) -> None:
    child = store(
        tmp_path,
        "child",
        "extends: container-node\npackages:\n  required: !override [jq]\ndisk: !override {min_free: 1 GB}\n",
    )
    rules = load_policy(child).rules
    assert [str(relation) for relation in rules.packages.required] == ["jq"]
    assert rules.disk.max_virtual_size is None


def test_null_takes_a_limit_back(tmp_path: Path) -> None:
    child = store(tmp_path, "child", "extends: container-node\ndisk: {max_virtual_size: null}\n")
    assert load_policy(child).rules.disk.max_virtual_size is None


def test_override_is_for_lists_and_mappings(tmp_path: Path) -> None:
    assert "line 3: no valid YAML: !override is for lists" in errors_of(
        store(tmp_path, "a", "architecture: !override x")
    )


def test_files_are_relative_to_the_policy_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    for folder, name in ((tmp_path / "base", "Base CA"), (tmp_path, "Our CA")):
        (folder / "ca.pem").write_bytes(pki.pem(pki.certificate(name)))
    trusted = "certificates: {trusted: [{file: ca.pem}]}\n"
    store(tmp_path / "base", "base", trusted)
    child = store(tmp_path, "child", f"extends: base/base.yaml\n{trusted}")
    assert [ca.subject for ca in load_policy(child).trusted] == ["CN=Base CA", "CN=Our CA"]


def test_a_policy_that_extends_itself_is_refused(tmp_path: Path) -> None:
    store(tmp_path, "a", "extends: b.yaml\n")
    assert "extends: b.yaml extends this policy in turn" in errors_of(store(tmp_path, "b", "extends: a.yaml\n"))


def test_a_long_row_of_policies_is_refused(tmp_path: Path) -> None:
    store(tmp_path, "p0", "")
    for number in range(1, 10):
        path = store(tmp_path, f"p{number}", f"extends: p{number - 1}.yaml\n")
    assert "more than 8 policies extend each other" in errors_of(path)


def test_a_base_that_is_not_there_is_an_error_at_its_line(tmp_path: Path) -> None:
    message = errors_of(store(tmp_path, "a", "extends: nothing.yaml\ndisk: {min_fre: 1 GB}\n"))
    assert "line 3: .extends: cannot read policy" in message
    assert "line 4: .disk.min_fre" in message


def test_errors_of_the_base_name_the_base(tmp_path: Path) -> None:
    store(tmp_path, "base", "disk: {min_fre: 1 GB}\n")
    message = errors_of(store(tmp_path, "child", "extends: base.yaml\n"))
    assert message.startswith(f"policy {tmp_path / 'base.yaml'} has 1 error")


def test_a_resolved_policy_asks_for_the_same(tmp_path: Path) -> None:
    child = store(tmp_path, "child", "extends: container-node\npackages: {required: [git]}\n")
    flat = tmp_path / "flat.yaml"
    flat.write_text(yaml.safe_dump(resolve(child)))
    assert "extends" not in flat.read_text()
    assert load_policy(str(flat)).digest == load_policy(child).digest

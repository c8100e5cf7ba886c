"""From a ``factory.yaml`` to a Factory. All errors at once, each with its path and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from diskimage_validator.certificates import der_blocks
from diskimage_validator.errors import PolicyError, UsageError, ValidatorError
from diskimage_validator.policy import load_policy, shipped_policies
from diskimage_validator.policy_document import problems_error, read_document
from diskimage_validator.policy_files import read_cas, read_chain, read_file
from diskimage_validator.policy_lines import Document, DocumentError, Problem
from diskimage_validator.policy_model import Policy
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.rules.document import FactoryRules
from diskimage_validator.readiness.rules.endpoints import ServiceEndpoint

WHAT: Final = "factory"


def load_factory(path: Path) -> Factory:
    """Return the factory that the file at ``path`` describes. Raises PolicyError with all of its problems."""
    return parse_factory(read_file(path, WHAT).decode("utf-8", "replace"), str(path), path.parent)


def parse_factory(text: str, name: str, folder: Path) -> Factory:
    """Return the factory that the YAML ``text`` describes; ``name`` is for messages, ``folder`` for relative files."""
    try:
        document, problems = read_document(text, FactoryRules, READINESS_CHECKS, WHAT)
    except DocumentError as error:
        raise problems_error(WHAT, name, error.problems) from error
    problems += [*_bad_addresses(document), *_bad_files(document, folder)]
    if problems:
        raise problems_error(WHAT, name, problems)
    rules = FactoryRules.model_validate(document.data)
    bundle = folder / rules.certificates.bundle if rules.certificates else None
    names = [node.policy for node in rules.node_images if node.policy]
    return Factory(
        rules,
        folder,
        tuple(read_cas(bundle, "bundle")) if bundle else (),
        tuple(der_blocks(read_file(bundle, "bundle"))) if bundle else (),
        {name: _policy(name, folder, [bundle] if bundle else []) for name in names},
    )


def _policy(name: str, folder: Path, bundle: list[Path]) -> Policy:
    """Return a shipped policy, or that of a file that is relative to ``folder``. Raises PolicyError or UsageError."""
    return load_policy(name if name in shipped_policies() else str(folder / name), ca_files=bundle)


def _bad_addresses(document: Document) -> Iterator[Problem]:
    """Find endpoints that disagree about what one name resolves to; what is no endpoint is the model's business."""
    endpoints = document.data.get("endpoints")
    first: dict[str, tuple[int, set[str]]] = {}
    for index, entry in enumerate(endpoints if isinstance(endpoints, list) else []):
        try:
            endpoint = ServiceEndpoint.model_validate(entry)
        except ValidationError:
            continue
        if endpoint.addresses:
            path, addresses = ("endpoints", index, "addresses"), set(endpoint.addresses)
            line, others = first.setdefault(endpoint.name, (document.line(path), addresses))
            if addresses != others:
                message = f"{endpoint.name} has others in line {line}; give all that it resolves to, in both or in one"
                yield Problem(document.line(path), path, message)


def _bad_files(document: Document, folder: Path) -> Iterator[Problem]:
    """Read the files that the document names; the form of an entry is the model's business. Secrets are not read."""
    certificates = document.data.get("certificates")
    bundle = certificates.get("bundle") if isinstance(certificates, dict) else None
    if isinstance(bundle, str) and bundle:
        try:
            read_cas(folder / bundle, "bundle")
        except UsageError as error:
            yield _problem(document, error, "certificates", "bundle")
    endpoints = document.data.get("endpoints")
    for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else []):
        yield from _bad_client(document, folder, endpoint, "endpoints", index)
    services = document.data.get("services")
    for kind, entries in services.items() if isinstance(services, dict) else ():
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            yield from _bad_client(document, folder, entry, "services", kind, index)
    nodes = document.data.get("node_images")
    for index, node in enumerate(nodes if isinstance(nodes, list) else []):
        policy = node.get("policy") if isinstance(node, dict) else None
        if isinstance(policy, str) and policy:
            try:
                _policy(policy, folder, [])
            except (UsageError, PolicyError) as error:
                yield _problem(document, error, "node_images", index, "policy")


def _bad_client(document: Document, folder: Path, entry: Any, *path: str | int) -> Iterator[Problem]:
    """Read the certificate that ``entry`` shows to servers, if there is one."""
    client = entry.get("client") if isinstance(entry, dict) else None
    file = client.get("certificate") if isinstance(client, dict) else None
    if isinstance(file, str) and file:
        try:
            read_chain(folder / file)
        except UsageError as error:
            yield _problem(document, error, *path, "client", "certificate")


def _problem(document: Document, error: ValidatorError, *path: str | int) -> Problem:
    return Problem(document.line(path), path, error.message)

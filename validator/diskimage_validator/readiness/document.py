"""From a ``factory.yaml`` to a Factory. All errors at once, each with its path and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diskimage_validator.certificates import der_blocks
from diskimage_validator.errors import UsageError
from diskimage_validator.policy_document import problems_error, read_document
from diskimage_validator.policy_files import read_cas, read_chain, read_file
from diskimage_validator.policy_lines import Document, DocumentError, Problem
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.rules import FactoryRules

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
    problems += _bad_files(document, folder)
    if problems:
        raise problems_error(WHAT, name, problems)
    rules = FactoryRules.model_validate(document.data)
    if rules.certificates is None:
        return Factory(rules, folder)
    bundle = folder / rules.certificates.bundle
    return Factory(rules, folder, tuple(read_cas(bundle, "bundle")), tuple(der_blocks(read_file(bundle, "bundle"))))


def _bad_files(document: Document, folder: Path) -> Iterator[Problem]:
    """Read the files that the document names; the form of an entry is the model's business. Secrets are not read."""
    certificates = document.data.get("certificates")
    bundle = certificates.get("bundle") if isinstance(certificates, dict) else None
    if isinstance(bundle, str) and bundle:
        try:
            read_cas(folder / bundle, "bundle")
        except UsageError as error:
            path = ("certificates", "bundle")
            yield Problem(document.line(path), path, error.message)
    endpoints = document.data.get("endpoints")
    for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else []):
        client = endpoint.get("client") if isinstance(endpoint, dict) else None
        file = client.get("certificate") if isinstance(client, dict) else None
        if isinstance(file, str) and file:
            try:
                read_chain(folder / file)
            except UsageError as error:
                where = ("endpoints", index, "client", "certificate")
                yield Problem(document.line(where), where, error.message)

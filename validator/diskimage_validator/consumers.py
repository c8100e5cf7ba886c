"""Who reads a store of CAs: the names that facts, policies and reports have for them.

``system``: the generated PEM bundle; ``openssl``: a folder with hash links; ``openssl-trusted``, ``email``,
``code-signing`` and ``edk2``: what p11-kit extracts besides; ``java``: keystores ``cacerts``; ``certifi``, ``pip``
(its vendored certifi), ``botocore``, ``httplib2``: bundles inside Python packages; ``nss``: cert9.db; the last three:
CAs for one registry.
"""

from typing import Final, Literal, get_args

System = Literal["system"]
Extracted = Literal["openssl-trusted", "email", "code-signing", "edk2"]
Client = Literal["openssl", "java", "certifi", "pip", "botocore", "httplib2", "nss"]
PerHost = Literal["docker", "containers", "buildkit"]

Verifier = Literal[System, Client, PerHost]
"""Who verifies TLS servers with CAs of its own."""
Other = Literal[Client, Extracted, PerHost]
"""Who reads CAs besides those that read the generated bundle."""

SYSTEM: Final = "system"
PER_HOST: Final[tuple[str, ...]] = get_args(PerHost)

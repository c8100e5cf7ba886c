"""Secrets: where they are, and never what they are. Their content is read where it is used, and kept nowhere."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass

MAX_SIZE: Final = 64 * 1024


@dataclass(frozen=True)
class Secret:
    """A reference: to a file of this host, relative to the ``factory.yaml``, or to a variable of the environment."""

    kind: Literal["file", "env"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def read(self, folder: Path) -> bytes:
        """Return the content. Raises UsageError, which tells the reference only."""
        if self.kind == "env":
            if self.name not in os.environ:
                raise UsageError(f"{self}: the environment has no such variable", f"export {self.name}")
            return os.environb[os.fsencode(self.name)]
        try:
            with (folder / self.name).open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise UsageError(f"{self}: {error.strerror or error}", "may this account read it?") from error
        if len(data) > MAX_SIZE:
            raise UsageError(f"{self}: larger than {MAX_SIZE // 1024} KiB", "is this the right file?")
        return data

    def line(self, folder: Path) -> str:
        """Return the content as a line of text, without its end: a password, say. Raises UsageError."""
        try:
            text = self.read(folder).decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"{self}: is not UTF-8", "is this the right file?") from error
        if not text or "\n" in text or "\0" in text:
            raise UsageError(f"{self}: not one line of text", "is this the right file?")
        return text


def _secret(value: Any) -> Secret:
    # What is wrong may be the secret itself, so no message repeats it.
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not name or "\0" in name or "\n" in name:
        raise PydanticCustomError("secret", "write file:PATH or env:VARIABLE, and never the secret itself")
    if kind == "file":
        return Secret("file", name)
    if kind == "env":
        return Secret("env", name)
    raise PydanticCustomError("secret", "write file:PATH or env:VARIABLE, and never the secret itself")


SecretField = Annotated[
    Secret,
    BeforeValidator(_secret),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^(file|env):.+", "examples": ["file:/etc/factory/client.key"]}),
]

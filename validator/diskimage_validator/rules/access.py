"""Rules about accounts, sudo and SSH."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import Model, NonEmpty, section

FingerprintField = Annotated[str, Field(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]
"""A key's fingerprint as ``ssh-keygen -l`` prints it."""


def _setting(value: Any) -> str:
    """Accept what YAML makes of an unquoted ``no`` or ``6``: sshd's settings are full of both."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int) or value == "":
        raise PydanticCustomError("setting", "a value as in sshd_config, such as 'no', is wanted")
    return str(value)


_SCHEMA: Final = {"type": ["string", "boolean", "integer"], "description": "a value as in sshd_config"}
SettingField = Annotated[str, BeforeValidator(_setting), WithJsonSchema(_SCHEMA)]


class RequiredUser(Model):
    """A user that has to be there; only what is given is asked for."""

    name: NonEmpty
    uid: Annotated[int, Field(ge=0)] | None = None
    groups: list[NonEmpty] = []
    """Groups that the user has to be in, the primary one or others."""
    shell: NonEmpty | None = None
    home: NonEmpty | None = None


class AccountRules(Model):
    """Who is in passwd, group and shadow, and with which passwords."""

    required: list[RequiredUser] = []
    forbidden: list[NonEmpty] = []
    """Patterns of names that no user may have, as in fnmatch(3)."""

    consistent: bool = False
    """Only root is uid 0, nothing is there twice, every user has a group, no password is empty or weakly hashed."""

    passwords: Literal["locked"] | None = None
    """``locked``: nobody can log in with a password."""


class SudoRule(Model):
    """A right that ``user`` (or ``%group``) has to have: to run every command as root."""

    user: NonEmpty
    nopasswd: bool = True
    """Whether it has to work without a password."""


class SudoRules(Model):
    """Who may become root. sudo's configuration is always checked for what makes sudo refuse it."""

    required: list[SudoRule] = []
    nopasswd: list[NonEmpty] | None = None
    """Users and ``%group``s that may have a rule with NOPASSWD; nobody else may."""


class KeyRules(Model):
    """Which SSH keys may open the image. The files and keys are always checked for what sshd refuses."""

    users: list[NonEmpty] | None = None
    """Users that may have authorized keys; nobody else may."""

    fingerprints: list[FingerprintField] | None = None
    """Keys that may be there; no other may."""

    min_rsa_bits: Annotated[int, Field(ge=1024)] = 2048
    """RSA keys below that are weak, as DSA keys always are."""


class AccessRules(Model):
    """Who may log in, and how."""

    accounts: AccountRules = section(AccountRules)
    sudo: SudoRules | None = None
    authorized_keys: KeyRules | None = None
    sshd: dict[NonEmpty, SettingField] | None = None
    """Settings of sshd and the value that each has to have, for everybody. Empty: sshd has to start at all."""

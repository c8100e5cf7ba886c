"""The JSON Schema of a policy file, for editors: generated from the models, so it knows what the tool knows."""

from typing import Any, Final

from diskimage_validator.policy_model import RULES_VERSION, Rules

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12, the dialect that pydantic writes) of a policy of this version."""
    schema = Rules.model_json_schema()
    title = f"diskimage-validator policy, version {RULES_VERSION}"
    return {"$schema": DIALECT, **schema, "title": title}

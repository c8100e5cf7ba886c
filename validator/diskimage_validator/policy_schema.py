"""The JSON Schemas of what people write, for editors: generated from the models, so they know what the tool knows."""

import ast
import inspect
import sys
from itertools import pairwise
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from diskimage_validator.policy_model import RULES_VERSION, Rules

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _WithDocstrings(GenerateJsonSchema):
    """The usual schema, with the text below a field as the description of that field.

    That is what ``use_attribute_docstrings`` does, which would read every model's source in every run.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        """Return the schema of one model."""
        made = super().model_schema(schema)
        for name, text in _docstrings(schema["cls"]).items():
            made["properties"][name].setdefault("description", text)
        return made


def policy_schema() -> dict[str, Any]:
    """Return the schema of a policy of this version."""
    return schema_of(Rules, f"diskimage-validator policy, version {RULES_VERSION}")


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the schema of a document (JSON Schema 2020-12, the dialect that pydantic writes)."""
    return {"$schema": DIALECT, **model.model_json_schema(schema_generator=_WithDocstrings), "title": title}


def _docstrings(model: type) -> dict[str, str]:
    """Return the docstring of every field that the class itself declares and describes."""
    module = ast.parse(inspect.getsource(sys.modules[model.__module__]))
    body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == model.__name__)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }

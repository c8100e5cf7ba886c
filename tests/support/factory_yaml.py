"""The factory.yaml that ``readiness init`` writes, with its examples."""

import re
from importlib.resources import files


def shown() -> str:
    """Return what ``init`` writes, with the examples that it has in comments."""
    text = files("diskimage_validator.readiness").joinpath("factory.yaml").read_text("utf-8")
    body = text[text.index("version: 1") :]
    lines = [re.sub(r"^( *)# (?=[a-z_]+:|  |-)", r"\1", line) for line in body.splitlines()]
    return "\n".join(line for line in lines if line != "waivers: []")

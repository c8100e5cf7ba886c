"""Kind ``web_paths``: folders whose content a web server serves, as on a share (NFS) between the two."""

from typing import Annotated

from pydantic import Field

from diskimage_validator.readiness.rules.fields import NodeField
from diskimage_validator.readiness.rules.services.urls import FolderUrlField
from diskimage_validator.rules.base import Model


class WebPathRules(Model):
    """A folder, and the URL that serves it. A small file is written into it, and removed again."""

    url: FolderUrlField
    path: Annotated[str, Field(pattern=r"^/")]
    node: NodeField = "/"
    """On which system the folder is: this host, or ``ssh://USER@HOST``, whose account may write there."""
    seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Within which a new file has to be served."""

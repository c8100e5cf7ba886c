"""An element that tells the hooks of a build what its caller asked for, and not what the gate makes of that.

Elements bake how diskimage-builder was called (``manifests``), and the names of the elements (``element-manifest``,
``image-provenance``, ``reproducible-image`` in all UUIDs). dib-run-parts sources every file in environment.d, numbers
first, before it runs the hooks of a phase; there DIB_ARGS, DIB_ENV, IMAGE_ELEMENT and IMAGE_ELEMENT_YAML are put right.
The function get_image_element_array, through which hooks find files of other elements, stays as it is.
"""

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from diskimage_builder import element_dependencies, paths

from airgap_image_factory.gate.log import NAME
from airgap_image_factory.gate.options import Invocation

ELEMENT: Final = NAME

_SCRIPT: Final = """\
# dib-run-parts traces what it sources: all variables of the build would be in the log. It goes on tracing itself.
{{ set +x; }} 2> /dev/null
# DIB_ENV is what declare said of all variables of this kind when diskimage-builder began, DIB_ARGS among them.
_left=$(declare -p DIB_ARGS)
export DIB_ARGS={arguments}
_after=$(declare -p DIB_ARGS)
export DIB_ENV=${{DIB_ENV/"$_left"/"$_after"}}
for _name in {names}; do
    _left=" $IMAGE_ELEMENT "
    _left=${{_left/ $_name / }}
    _left=${{_left# }}
    export IMAGE_ELEMENT=${{_left% }}
    # yaml.safe_dump writes a line for each of them.
    _left=$'\\n'$IMAGE_ELEMENT_YAML
    if [[ $_left == *$'\\n'"$_name: "* ]]; then
        _after=${{_left#*$'\\n'"$_name: "}}
        _left=${{_left%%$'\\n'"$_name: "*}}$'\\n'${{_after#*$'\\n'}}
    fi
    export IMAGE_ELEMENT_YAML=${{_left#$'\\n'}}
done
unset _name _left _after
"""


def write_element(folder: Path, arguments: Sequence[str], unasked: Sequence[str]) -> None:
    """Write ``ELEMENT`` into the ``folder`` of elements: hooks see ``arguments``, and neither it nor the ``unasked``.

    These are the names of elements that the caller did not ask for.
    """
    script = _SCRIPT.format(arguments=shlex.quote(" ".join(arguments)), names=shlex.join([ELEMENT, *unasked]))
    file = folder / ELEMENT / "environment.d" / f"00-{ELEMENT}.bash"
    file.parent.mkdir(parents=True)
    file.write_bytes(os.fsencode(script))


def is_asked_for(element: str, invocation: Invocation, environment: Mapping[str, str], elements: str) -> bool:
    """Return whether ``element`` is in the build anyhow, by its name or because another one needs it.

    ``elements`` is the list of folders with elements, with colons, as it is without ours; diskimage-builder's follow.
    """
    base = [] if "-n" in invocation.passed or environment.get("SKIP_BASE") == "1" else ["base"]
    # It warns of every element that stands in for another one; so does the build.
    logging.getLogger(element_dependencies.__name__).setLevel(logging.ERROR)
    places = f"{elements}:{paths.get_path('elements')}"
    try:
        found = element_dependencies.get_elements([*base, *invocation.elements], places)
    except _UNFIT:  # the build is going to say so
        return False
    return any(name == element for name, _ in found)


_UNFIT: Final = (
    element_dependencies.AlreadyProvidedException,
    element_dependencies.InvalidElementDir,
    element_dependencies.MissingElementException,
    element_dependencies.MissingOSException,
)

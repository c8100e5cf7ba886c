"""Runs in the environment that Zuul is installed in: what Zuul's own parser makes of configuration files, as JSON.

Arguments are files. Standard output is a list with an object per file: ``errors``, and the names and properties of what
is in it. Nothing is asked of a scheduler, a merger or ZooKeeper.
"""

import configparser
import json
import sys
from pathlib import Path
from typing import Any

from zuul import model
from zuul.configloader import ParseContext, TenantParser
from zuul.lib.ansible import AnsibleManager
from zuul.lib.connections import ConnectionRegistry

CONNECTIONS = """
[connection git]
driver=git
baseurl=https://git.internal
"""


def main() -> None:
    configuration = configparser.ConfigParser()
    configuration.read_string(CONNECTIONS)
    connections = ConnectionRegistry()
    connections.configure(configuration, sources=True, triggers=True, reporters=True)
    json.dump([parse(connections, Path(name)) for name in sys.argv[1:]], sys.stdout)


def parse(connections: Any, file: Path) -> dict[str, Any]:
    """Return what is in ``file``, as a project's main branch has it."""
    context = ParseContext(connections, None, None, AnsibleManager())
    source = model.SourceContext("git.internal/images", "images", "git", "main", file.name)
    tenant = TenantParser(connections, *[None] * 7)
    parsed = tenant.loadProjectYAML(file.read_text(), source, context)
    errors = [error for name, found in vars(parsed).items() if name.endswith("_errors") for error in found]
    return {
        "errors": [str(error.error) for error in [*context.error_list, *errors]],
        "jobs": {job.name: described(job) for job in parsed.jobs},
        "images": [image.name for image in parsed.images],
        "pipelines": {
            pipeline.name: {
                "allows_parameters": pipeline.allow_parameters,
                "builds_images": pipeline.builds_images,
                "events": sorted(str(kind) for event in pipeline.event_filters for kind in event._types),
                "validated": [getattr(action, "image_validated", None) for action in pipeline.success_actions],
                "refused": [getattr(action, "image_validated", None) for action in pipeline.failure_actions],
            }
            for pipeline in parsed.pipelines
        },
        "projects": [
            {
                pipeline: {"jobs": list(found.job_list.jobs), "parameters": list(found.parameters)}
                for pipeline, found in project.pipelines.items()
            }
            for project in parsed.projects
        ],
    }


def described(job: Any) -> dict[str, Any]:
    """Return what the tests look at in ``job``."""
    return {
        "parent": job.parent,
        "abstract": job.abstract,
        "image": job.image_build_name,
        "run": [playbook.path for playbook in job.run],
        "post_run": [playbook.path for playbook in job.post_run],
        "roles": [role.target_name for role in job.roles],
        "variables": dict(job.variables),
        "nodes": {name: node.label for names, node in job.nodeset.nodes.items() for name in names},
        "groups": {name: list(group.nodes) for name, group in job.nodeset.groups.items()},
        "secrets": [secret.alias for secret in job.secrets],
    }


main()

"""Section ``services``: what the factory stands on. A kind of service a module."""

from diskimage_validator.readiness.rules.services.databases import DatabaseRules
from diskimage_validator.readiness.rules.services.git import GerritService, GitRepository
from diskimage_validator.readiness.rules.services.logs import LogPage
from diskimage_validator.readiness.rules.services.nodepool import NodepoolService
from diskimage_validator.readiness.rules.services.object_stores import ObjectStoreRules
from diskimage_validator.readiness.rules.services.web_paths import WebPathRules
from diskimage_validator.readiness.rules.services.zookeeper import EnsembleRules
from diskimage_validator.readiness.rules.services.zuul import ZuulService
from diskimage_validator.rules.base import Model


class ServiceRules(Model):
    """The core services of a factory: lists by kind, each with what has to be true of it."""

    zookeeper: list[EnsembleRules] = []
    databases: list[DatabaseRules] = []
    object_stores: list[ObjectStoreRules] = []
    web_paths: list[WebPathRules] = []
    logs: list[LogPage] = []
    zuul: list[ZuulService] = []
    nodepool: list[NodepoolService] = []
    gerrit: list[GerritService] = []
    git: list[GitRepository] = []

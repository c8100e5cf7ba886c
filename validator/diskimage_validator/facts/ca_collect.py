"""Puts together what there is to know about stores of CAs in a target."""

from diskimage_validator.facts.ca_beside import read_blocked, scan_for_keys
from diskimage_validator.facts.ca_places import read_places, system_bundle
from diskimage_validator.facts.ca_registries import read_registries
from diskimage_validator.facts.ca_scattered import read_scattered
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import Blocked, CaStores
from diskimage_validator.facts.scene import Scene


def read_ca_stores(scene: Scene) -> CaStores:
    """Return the stores of the target.

    A store that cannot be read says so itself. Raises FactError if the target has too many files, and what an engine
    raises when it dies.
    """
    shelf = Shelf(scene.engine)
    bundle, command = system_bundle(scene)
    stores = [*read_places(shelf, bundle, command), *read_registries(shelf)]
    known = {store.real for store in stores if store.consumer == "java"}
    stores += [store for store in read_scattered(scene, shelf, bundle) if store.path not in known]
    unread = list(scan_for_keys(shelf))
    blocked = []
    for found in read_blocked(shelf):
        if isinstance(found, Blocked):
            blocked.append(found)
        else:
            unread.append(found)
    return CaStores(
        stores=tuple(stores),
        certificates=shelf.certificates,
        ders=shelf.ders,
        private_keys=tuple(shelf.keys.values()),
        blocked=tuple(blocked),
        unread=tuple(unread),
    )

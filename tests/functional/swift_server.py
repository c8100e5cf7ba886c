"""OpenStack Swift in one process: proxy, account, container and object server, on loopback and without any daemon.

Run by the system's python3, which has Debian's python3-swift: ``swift_server.py FOLDER``. The port of the proxy is in
the file ``port`` there. Accounts and their roles are tempauth's; objects stay in memory. The pipeline is a usual one.
"""

import logging
import sys
from pathlib import Path
from typing import Any

PROXY = """\
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors gatekeeper cache tempauth container_quotas account_quotas proxy
[app:proxy]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
paste.filter_factory = swift_server:cache
[filter:tempauth]
use = egg:swift#tempauth
user_ci_admin = secret .admin .reseller_admin
user_ci_reader = secret
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:account_quotas]
use = egg:swift#account_quotas
"""


class Cache:
    """What memcached does for Swift, as far as one process needs it."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        return self._known.get(key)

    def set(self, key: str, value: Any, *_: Any, **__: Any) -> None:
        self._known[key] = value

    def delete(self, key: str, *_: Any, **__: Any) -> None:
        self._known.pop(key, None)


def cache(*_: Any, **__: Any) -> Any:
    """Return the filter that gives every request the cache (Paste Deployment)."""
    one = Cache()

    def made(app: Any) -> Any:
        def asked(environ: dict[str, Any], start: Any) -> Any:
            environ["swift.cache"] = one
            return app(environ, start)

        return asked

    return made


def main(folder: Path) -> None:
    """Serve until the end."""
    import eventlet
    import eventlet.wsgi

    eventlet.monkey_patch()
    from swift.account.server import AccountController
    from swift.common import utils, wsgi
    from swift.common.ring import RingBuilder
    from swift.container.server import ContainerController
    from swift.obj.mem_server import ObjectController

    utils.HASH_PATH_SUFFIX = b"tests"
    conf = {"devices": str(folder), "mount_check": "false", "swift_dir": str(folder)}
    (folder / "sda").mkdir()
    for name, controller in (
        ("account", AccountController),
        ("container", ContainerController),
        ("object", ObjectController),
    ):
        listener = eventlet.listen(("127.0.0.1", 0))
        builder = RingBuilder(1, 1, 0)
        device = {
            "id": 0,
            "zone": 1,
            "weight": 1.0,
            "ip": "127.0.0.1",
            "port": listener.getsockname()[1],
            "device": "sda",
        }
        builder.add_dev({**device, "region": 1})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{name}.ring.gz"))
        eventlet.spawn(eventlet.wsgi.server, listener, controller(conf), log_output=False)
    (folder / "proxy.conf").write_text(PROXY.format(folder=folder))
    proxy = wsgi.loadapp(str(folder / "proxy.conf"), global_conf={"log_name": "proxy"})
    listener = eventlet.listen(("127.0.0.1", 0))
    (folder / "port.new").write_text(str(listener.getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    eventlet.wsgi.server(listener, proxy, log_output=False)


if __name__ == "__main__":
    logging.disable()
    main(Path(sys.argv[1]))

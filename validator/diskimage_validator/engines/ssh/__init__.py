"""A remote node as a target: SFTP for its files, one long-lived shell for what only a running system can tell.

Nothing is written on the node, and it needs no Python: SFTP, a POSIX shell and coreutils will do.
"""

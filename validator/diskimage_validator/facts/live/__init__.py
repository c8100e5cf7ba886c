"""Facts that only a running system can tell: what it answers when it is asked, not what its files say.

All of them are None for a target that does not run. Nothing is installed and nothing is written for them: they are told
by tools that are there, and which one it was is part of the fact where it matters.
"""

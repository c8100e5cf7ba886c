"""The parsers of what a hostile image, policy or certificate file may hold, each fed with bytes.

A parser may say no (a ValidatorError) or return something; anything else is a bug. ``python -m tests.fuzz NAME``
searches with atheris; what it finds worth keeping lies in ``corpus/NAME``, and every run of the unit tests replays it.

Nothing is imported here: atheris sees only what is imported under its eyes.
"""

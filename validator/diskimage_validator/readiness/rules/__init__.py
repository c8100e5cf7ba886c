"""What a ``factory.yaml`` may say: a module a section, and ``document`` for all of it."""

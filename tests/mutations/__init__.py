"""Defects, one module per domain: each has RULES (sections of a policy) and MUTATIONS."""

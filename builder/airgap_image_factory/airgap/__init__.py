"""Prove that a command works in an air gap: run it where nothing but named services can be reached, and write it down.

The command runs in a network namespace of its own (``namespace``). What it may reach are services by name: the name
resolves to this host's end of the link (``resolver``), where a forwarder (``forwarder``) passes the bytes on. TLS stays
end to end. Every other packet is counted and refused, every other name is logged and refused; ``proof`` puts both into
the evidence.
"""

"""Readiness: whether the network around an image factory is what its ``factory.yaml`` says.

As with images, data flows one way. A check says what it needs to ask (``Ask``, plain data); ``probes/`` talk to the
network and give frozen facts; the check judges these. So what a run would contact is known without contacting it.
"""

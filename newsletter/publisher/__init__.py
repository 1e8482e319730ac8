"""The use cases: gather the listings, draft and freeze the issue, preview it, say why, publish.

A tick does each at its time. They know ports and the pure rooms below, never an adapter.
"""

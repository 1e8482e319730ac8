"""The use cases: fetch, draft, freeze, preview, send, welcome, report.

A tick does each at its time. They use ports and the pure rooms below, never an adapter.
"""

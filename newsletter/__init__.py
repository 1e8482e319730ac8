"""A self-hosted daily newsletter of research papers.

Start at :mod:`newsletter.model`: it names every noun and the path they take.
"""

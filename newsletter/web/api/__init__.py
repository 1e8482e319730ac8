"""The HTTP API: what programs do with tokens, by the same use cases as the pages."""

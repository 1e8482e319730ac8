"""What readers do about their own subscription: join, confirm, follow, pause, leave, be forgotten.

Each is one call over the store; who may make it is proved by a signed link (:mod:`tokens`). Time
and the way letters leave by are arguments.
"""

"""One look at one resource: read everything, decide, publish, write what differs. Level-triggered.

Each `reconcile(key)` may be run twice or be cut off at any line; the next look ends in the same place. What it needs of the
outside is in `ports`; what a pool should do is decided in `webgarden.policy`.
"""

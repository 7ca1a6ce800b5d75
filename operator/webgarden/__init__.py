"""The operator: W3SVC and WAS of IIS for a cluster.

It decides which worker pods run and tells the listener about them; it never touches a client's request. Layers, each of
which knows only those before it: `api` (resource models), `policy` (pure decisions), `manifests` and `routing` (pure
builders), `reconcile`, `cluster` and `link` (I/O), `__main__`.
"""

"""Kubernetes I/O: what is watched, what is written, and who leads."""

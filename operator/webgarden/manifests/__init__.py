"""Builders of Kubernetes objects: pure functions from our resources to plain dicts, complete as server-side apply wants."""

"""What goes with the release: the operator's ClusterRole stands for it, and owns what the operator makes for the release.

So uninstalling takes all of it along, and deleting a WebServer takes the listener and nothing else.
"""

from __future__ import annotations

from webgarden.reconcile.ports import Body, Key, Kind, Writer

ROLE = Key(Kind.CLUSTER_ROLE, "", "webgarden-operator")


async def owners(writer: Writer) -> list[Body]:
    """Owner references; none where the operator runs outside of a release."""
    role = await writer.get(ROLE)
    if role is None:
        return []
    reference = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return [{**reference, "name": role["metadata"]["name"], "uid": role["metadata"]["uid"]}]

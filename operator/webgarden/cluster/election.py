"""One leader among the replicas, by a Lease. Whoever loses it ends its term and stands again.

On a clean end the Lease is given back, so that the other takes over at once instead of when it has run out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientError
from kubernetes.aio import client
from kubernetes.aio.client import ApiClient, ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from webgarden.cluster.client import ApiError, Client
from webgarden.manifests import names

log = logging.getLogger(__name__)

RETRY_SECONDS = 2
CALL_SECONDS = 3
UNREACHABLE = (ClientError, TimeoutError, OSError)
RENEW_SHARE = 0.4
"""Of the lease: so long may renewing fail before the leader gives up. With the pause before and a call that hangs after, it
is still before another may take the lease."""


class Election:
    def __init__(self, api: ApiClient, *, namespace: str, identity: str, lease_seconds: int) -> None:
        self._api = api
        self._namespace = namespace
        self._identity = identity
        self._lease_seconds = lease_seconds

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to be the leader, then `lead` until the Lease is lost. Returns when it is, or when `lead` ends."""
        elected = asyncio.Event()

        async def begin() -> None:
            elected.set()

        async def lead_when_elected() -> None:
            # A task of ours: the library forgets its own when it is cancelled.
            await elected.wait()
            await lead()

        async def lost() -> None:
            log.error("the Lease %s is lost: another operator may lead now", names.LEASE)

        config = Config(
            _PatientLock(names.LEASE, self._namespace, self._identity, self._api),
            lease_duration=self._lease_seconds,
            renew_deadline=self._lease_seconds * RENEW_SHARE,
            retry_period=RETRY_SECONDS,
            onstarted_leading=begin,
            onstopped_leading=lost,
        )
        election = asyncio.create_task(LeaderElection(config).run())
        leading = asyncio.create_task(lead_when_elected())
        try:
            await asyncio.wait({election, leading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (election, leading):
                task.cancel()
            results = await asyncio.gather(election, leading, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                log.error("the term has ended with an error", exc_info=error)

    async def give_back(self, api: Client) -> None:
        """Let another lead at once, if it is we who do."""
        try:
            while not await self._given_back(api):
                log.info("a renewal that was under way came between; the Lease is given back again")
        except (ApiError, ClientError, TimeoutError) as error:
            log.warning("the Lease could not be given back, it runs out by itself: %s", error)

    async def _given_back(self, api: Client) -> bool:
        """False when somebody changed the Lease between reading and writing."""
        url = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/{names.LEASE}"
        lease = await api.request("GET", url)
        if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            return True
        try:
            await api.request("PUT", url, body={**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        except ApiError as error:
            if error.code == 409:
                return False
            raise
        return True


class _PatientLock(LeaseLock):
    """An API server that cannot be reached is a try that failed, not the end: the election has its own deadline."""

    async def get(self, name: str, namespace: str) -> Any:  # noqa: ANN401 (the library's signature)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await super().get(name, namespace)
        except UNREACHABLE as error:
            return False, ApiException(status=0, reason=f"the API server cannot be reached: {error}")

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                # The library's own asks for `pretty=True`, which its client refuses.
                body = client.V1Lease(metadata=client.V1ObjectMeta(name=name), spec=self.update_lease(election_record))
                await self.api_instance.create_namespaced_lease(namespace, body)
        except (ApiException, *UNREACHABLE) as error:
            log.warning("the Lease %s could not be made: %s", name, error)
            return False
        return True

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        # The library's own logs a traceback when another was faster, which is how an election goes.
        lease = self.lease_reference
        assert lease is not None, "the library reads before it writes"
        lease.spec = self.update_lease(updated_record, lease.spec)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self.api_instance.replace_namespaced_lease(name=name, namespace=namespace, body=lease)
        except (ApiException, *UNREACHABLE) as error:
            log.debug("the Lease %s was not renewed: %s", name, error)
            return False
        return True

"""Measurements, each beside a floor or a peer that is measured in the same run: `python -m tests.bench`, and docs/bench.md.

`figures` is what a benchmark gives back and how it is printed, `bed` the namespace it runs in, `watching` what the API
server says and when, `processes` what the containers use, `wrk` the load generator. `throughput`, `coldstart`, `holding`,
`recycling` and `idle` measure the installed release, and need a machine on which the cluster's containers are ordinary
processes.

`listener_scale` and `streaming` measure one part on loopback and need no cluster: `loopback` is the listener with an
operator and workers that are played, `estate` its many pools.

Nothing here asserts on a time: goals that are missed are told in the table. Ratios of one run travel between machines,
absolute figures do not.
"""

"""Measurements, each beside a floor or a peer that is measured in the same run: `python -m tests.bench`, and docs/bench.md.

`figures` is what a benchmark gives back and how it is printed, `bed` the namespace it runs in, `watching` what the API
server says and when, `processes` what the containers use, `wrk` the load generator. The benchmarks: `throughput`,
`coldstart`, `holding`, `recycling`, `idle`, `streaming`. They need a machine on which the cluster's containers are
ordinary processes.

Nothing here asserts on a time: goals that are missed are told in the table. Ratios of one run travel between machines,
absolute figures do not.
"""

"""The test cluster: a real Kubernetes for the tests, on whatever the machine offers.

`python -m tests.cluster up` makes it, `down` leaves nothing behind. `ways.chosen()` is the whole
cluster for end-to-end tests; `controlplane.running(directory)` is etcd, apiserver and
controller-manager alone, for tests which play the kubelet themselves.
Nothing here is for production: the data is thrown away, so nothing is stopped gently.
"""

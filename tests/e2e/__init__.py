"""End to end: the chart on the test cluster, real pods, and a client that counts every failure by its kind.

`installation` brings the release up, `kubernetes` talks to the API server, `tenant` is one test's namespace with its pools
and sites, `asking` is a single request, `load` many of them in a process of their own. `storm` says when something is
killed, `strikes` what and how, `attribution` what that explains. Nothing here is a stand-in: what a test sees is what an
administrator and a client would see.
"""

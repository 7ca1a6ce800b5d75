"""Figures of the process."""

from webgarden_worker import usage

STATUS = """Name:\tpython
VmPeak:\t  220000 kB
VmSize:\t  214032 kB
VmRSS:\t   61440 kB
RssAnon:\t   40960 kB
RssFile:\t   20480 kB
Threads:\t3
"""


def test_the_kernel_s_figures_become_bytes() -> None:
    assert usage.parse(STATUS, cpu_seconds=1.5) == usage.Usage(
        rss=61440 * 1024, private=40960 * 1024, virtual=214032 * 1024, cpu_seconds=1.5
    )


def test_a_figure_the_kernel_does_not_give_is_unknown_and_not_zero() -> None:
    used = usage.parse("Name:\tpython\nVmRSS:\t 10 kB\n", cpu_seconds=0)
    assert (used.rss, used.private, used.virtual) == (10240, None, None)


def test_this_process_uses_something() -> None:
    used = usage.current()
    assert used.rss and used.private and used.virtual
    assert used.private < used.rss < used.virtual
    assert used.cpu_seconds > 0

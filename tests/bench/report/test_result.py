"""Memory per call."""

from bench.report.result import Memory


def test_memory_is_shared_out_among_the_calls_it_is_for() -> None:
    """Memory per call is computed from none to all calls, and from half to all."""
    memory = Memory(idle=70 * 1024, half=90 * 1024, full=100 * 1024, calls_at_half=5, calls=10)
    assert (memory.per_call_kib, memory.per_further_call_kib) == (3.0, 2.0)


def test_a_single_call_has_no_half() -> None:
    """The memory of a single call is what it added."""
    memory = Memory(idle=70 * 1024, half=70 * 1024, full=75 * 1024, calls_at_half=0, calls=1)
    assert (memory.per_call_kib, memory.per_further_call_kib) == (5.0, 5.0)

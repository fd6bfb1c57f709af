"""One worker in several processes, so that it may use more than one processor.

The front has the port. It accepts connections and hands each to the process that has the fewest; nothing of a call ever
passes through it. What counts for the whole task is counted there.
"""

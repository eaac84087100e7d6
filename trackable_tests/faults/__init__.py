"""The fault harness: proves that what was acknowledged is counted once, whatever is killed.

``python -m trackable_tests.faults --help`` lists what it can do. A *run* starts a database and a
broker of its own, *producers* that emit and record what they are told, *folders* that fold, and a
*keeper* that starts again what dies. A *plan*, made from a seed, says what is killed, stopped, cut
off, emptied and put back, and at which *fault points* processes kill themselves. Then the run
comes to rest, and what was counted is compared with what was acknowledged, row by row.
"""

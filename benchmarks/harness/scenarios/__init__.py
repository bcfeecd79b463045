"""What is measured, and the bound that each figure is held against.

A scenario is a function that takes the run and adds rows to its report. Targets take turns within
each round, so that what the machine does besides meets all of them; figures are medians.
"""

from .hits import (
    group_hits, large_blob_hits, manifest_hits, scaling, small_blob_hits, tls_hits)
from .index import large_index, many_small_blob_hits
from .misses import cold_pull, first_byte, many_on_one
from .others import beside_a_fetch, idle_connections, slow_readers

ALL = [
    manifest_hits, group_hits, small_blob_hits, large_blob_hits, cold_pull, first_byte, many_on_one,
    beside_a_fetch, idle_connections, slow_readers, many_small_blob_hits, large_index, tls_hits,
    scaling,
]

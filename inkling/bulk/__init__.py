"""Many images at once: from files of many kinds to one table of predictions, on all cores, in order and resumable.

inputs ──> sources ──> units ══> workers: read, predict, encode ══> output
(names)    (their      (parts    (one process per CPU core)        (partial file and its state,
           kinds)      of files)                                    then the table)
"""

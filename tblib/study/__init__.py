"""The claim of the method, tested: every unit of a study, its record, its tables, its hypotheses.

A *unit* is one seed at one share of labels.  All units of a study end in one file,
`results/study/<name>.json`; `reading` opens it, `tables` and `hypotheses` say what is in it.
"""

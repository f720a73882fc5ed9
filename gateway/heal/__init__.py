"""Healing a drifted adapter's rows: what still holds, what can be relabelled, what must be new.

`moves` says what became of each tool's name and arguments, `relabel` what that makes of one row,
`plan` what to do for a whole data set, `rows` reads and writes the files.
"""

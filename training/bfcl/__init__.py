"""The Berkeley Function Calling Leaderboard (BFCL v4): rows to learn from, and a yardstick.

Only its data is read, never its code; the rules of its comparison are written anew here. Its
single-turn categories over Python are covered. The Java and JavaScript ones are not: there an
argument is source text in a string (`new ArrayList<>()`, `5L`), which no tool call of ours holds.
"""

"""What to do about memory: one rule for each thing that is known to go wrong. Pure.

`terms` has the records, `catalogue` the table of the rules and how they are ranked. To add a
rule: write a function from `Seen` to pieces of `Advice` and put it into the table.
"""

"""fuzz: mutated small files of every kind that the engine reads, each read in a forked child within limits.

```text
seeds   small files and folders of each kind, made here; a finished run
mutate  one or two of their files changed, by a seeded generator
trial   a forked child reads it: ok, error (of our tree), escape (any other exception), crash, hang, memory
```
`python -m fuzz` runs it (see `make fuzz`); `test_fuzz.py` runs some seconds of it and asserts that nothing is found.
"""

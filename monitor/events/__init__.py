"""Events: from the bytes of messages to columns. Pure: no I/O, no clock.

`decoder` takes a micro-batch of mixed formats and hands each message to its format:

- JSON: `json`, then `scanner` around the compiled `scan`, which looks through the texts of `gathered` for what
  `program` says (its parts: `guesses`, `text`, `decimals`, `instant`, `lookup`, `words` and `named`). What it leaves,
  `split` divides (an array by `brackets`) and `forgiving` decides.
- Arrow, and the flat tables of files: `arrow` (and `extent`) and `table`, then `rows`, which writes a record batch
  (`piece`) into arrays made once (`sheet`), from where `places` found its columns, by the compiled loops of `direct`.
  `arrays` is their specification, and the way of every rare type.

Both end in `parts` and `outcome`: one `batch` a model, and rejects with a reason of `reasons`. What values mean is said
once, in `values`.
"""

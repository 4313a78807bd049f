"""Every statement the page and the API ask, one subject a file.

A statement is a constant. What a person chose (model, column, times) is bound to its places (`{model:String}`) and
travels beside it, so that no name, however hostile, becomes part of it. Times are milliseconds since 1970.
"""

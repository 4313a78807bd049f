"""How good a model is: mergeable sketches of its matches, the metrics they give, what labels not yet come would say,
and where a loss comes from. Pure statistics: nothing here knows of streams, of the join or of records."""

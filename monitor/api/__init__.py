"""The page and the JSON API: what the destination that answers SQL holds, shown to people and programs.

- `source`: where statements go. `queries/`: every statement, one subject a file, its values bound, never written in.
- `record_rows`: rows of any record as the JSON API gives them. `openapi`: the document that says so.
- `wording`, `figures`: sentences and numbers. `views/`: what a screen shows, made of rows; `charts`: what is drawn.
- `access`: who may look. `app`: the addresses. `report`, `model_card`: one file to send. `static/`, `templates/`.
"""

-- One row a key: the highest revision, of equal ones the last written. `inserted_at` is left out: it says how a row came
-- about and is no part of the result.

CREATE OR REPLACE VIEW drift_scores_latest AS
SELECT * EXCEPT (inserted_at) FROM drift_scores FINAL;

CREATE OR REPLACE VIEW column_profiles_latest AS
SELECT * EXCEPT (inserted_at) FROM column_profiles FINAL;

CREATE OR REPLACE VIEW late_dropped_latest AS
SELECT * EXCEPT (inserted_at) FROM late_dropped FINAL;

CREATE OR REPLACE VIEW rejects_latest AS
SELECT * EXCEPT (inserted_at) FROM rejects FINAL;

CREATE OR REPLACE VIEW references_latest AS
SELECT * EXCEPT (inserted_at) FROM references FINAL;

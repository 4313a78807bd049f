-- The columns of a window as numbers: the fleet asks of thousands of windows which of their columns have a season, and
-- copying the names was most of its time. ClickHouse makes them of the names, of rows that are there when they are read.

ALTER TABLE season_windows ADD COLUMN IF NOT EXISTS `hashes` SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) DEFAULT arrayMap(name -> cityHash64(name), columns) COMMENT 'cityHash64 of `columns`' AFTER `columns`;

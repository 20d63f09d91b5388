-- Changes of multi-market packs travel in the same lines as what manufacturers send, but no request
-- of a manufacturer stands behind them.
alter table delivery alter column request_number drop not null;

-- Old reports and the ids of their retrievals are forgotten (`hub.retention`).
create index report_made on report (made_at_ms) where status <> 'Waiting';
create index account_message_of_retrieval on account_message (at_ms)
    where transaction_id like 'RRRQ%';

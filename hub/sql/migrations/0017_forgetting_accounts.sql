-- All messages about accounts are forgotten in time, and recalls told long ago (`hub.retention`).
drop index account_message_of_retrieval;
create index account_message_to_forget on account_message (at_ms);
create index notice_urgent on notice (created_at_ms) where is_urgent;

-- Where in its document the first event of a message stands, to name it with the message's defects.
alter table epcis_capture_request add column first_event integer;

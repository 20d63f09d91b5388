-- Client id of the equipment that asked, where its login names one. A connector's, if one asked on
-- the location's behalf.
alter table trail add column equipment text;
alter type trail_row add attribute equipment text;

-- A pack's version now tells how often its state has changed, times sixteen, plus the writes since:
-- until now it counted all writes, tolerated repeats among them.
update pack set version = ((version - repeat_count) & 4095) << 4 where version <> 0;

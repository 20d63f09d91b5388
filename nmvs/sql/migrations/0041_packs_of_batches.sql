-- Packs come batch by batch and stay where they are, so that a few pages tell where a batch begins and
-- ends: counting what is held of one (`nmvs.batch_counts`) and retention read these alone. It costs 2
-- to 3 % of the COPY of packs, and 64 kB for four million.
create index pack_of_batch on pack using brin (batch_number) with (pages_per_range = 32);

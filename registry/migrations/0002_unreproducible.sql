-- Datasets that can no longer be made again, and why: something was taken out of what they pin. The models trained on them share their fate.

create table unreproducible_datasets (
    dataset integer primary key references datasets (id),
    reason  text    not null check (reason <> ''),
    since   integer not null
) strict;

create trigger unreproducible_is_for_good before delete on unreproducible_datasets
begin select raise(abort, 'what was forgotten does not come back'); end;

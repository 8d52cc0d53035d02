-- What shows in a month what it is billed for, beside calls: phones that were registered, and numbers
-- that were hosted. Noted while it runs, and never taken back.

-- `line` names the phone; `period_start` is the month of the account that pays for it.
create table calls.registrations (
    account text collate "C" not null,
    period_start timestamptz not null,
    line text collate "C" not null,
    seen_at timestamptz not null,
    primary key (account, period_start, line)
);

-- Whether anybody looked at what an account has hosted in a month; without, nobody knows.
create table books.hosting_looks (
    account text collate "C" not null,
    period_start timestamptz not null,
    bolt_on boolean not null,
    first_seen_at timestamptz not null,
    primary key (account, period_start)
);

-- `each_micros`: the fee of its carrier, in place of the package's; `byoc`: the customer pays it.
create table books.hosted_numbers (
    account text collate "C" not null,
    period_start timestamptz not null,
    number text collate "C" not null,
    byoc boolean not null,
    each_micros bigint check (each_micros >= 0),
    first_seen_at timestamptz not null,
    primary key (account, period_start, number)
);

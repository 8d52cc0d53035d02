-- Phones that were registered, once a month: what shows a user who had no call.

-- `line` names the phone; `period_start` is the month of the account that pays for it.
create table calls.registrations (
    account text collate "C" not null,
    period_start timestamptz not null,
    line text collate "C" not null,
    seen_at timestamptz not null,
    primary key (account, period_start, line)
);

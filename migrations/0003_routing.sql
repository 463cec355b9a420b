-- Routing: a merchant's own rules about which of its gateway accounts may take a payment.

-- The first enabled rule by position (ties by time of creation) whose every condition holds decides; see
-- host/src/domain/routing.rs. A condition that is null does not ask anything. Nothing refers to a rule, so deleting it
-- deletes its row.
create table routing_rules (
    merchant_id      uuid        not null,
    routing_rule_id  uuid        not null,
    name             text        not null check (length(name) between 1 and 200),
    enabled          boolean     not null default true,
    position         int         not null check (position between 0 and 1000000), -- lower is asked first
    amount_min       bigint               check (amount_min > 0), -- minor units of the payment's own currency, inclusive
    amount_max       bigint               check (amount_max > 0),
    currencies       text[],              -- ISO 4217
    methods          text[],              -- card, upi_collect, wallet:paypal …; upi and wallet: all of that family
    bin_prefixes     text[],              -- 1 to 8 digits each; cards alone have them
    countries        text[],              -- ISO 3166-1 alpha-2, of the customer
    gateway_accounts uuid[]      not null check (cardinality(gateway_accounts) between 1 and 100),
    weights          int[]       not null, -- one for each account: what it weighs here; null: what the account says
    version          int         not null default 1, -- compare-and-set by PATCH
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    primary key (merchant_id, routing_rule_id),
    constraint routing_rules_amounts check (amount_min <= amount_max),
    constraint routing_rules_weights check (cardinality(weights) = cardinality(gateway_accounts)
                                            and 0 <= all (weights) and 1000 >= all (weights))
);
